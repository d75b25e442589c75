import { ProblemError } from './problems.ts';

export function etagOf({ version }: { readonly version: number }): string {
  return `"${version}"`;
}

/** The version that an If-Match header names. */
export function versionOf(ifMatch: string | undefined): number {
  if (ifMatch === undefined) {
    throw new ProblemError(428, 'if_match_required', 'Send If-Match with the ETag that you read');
  }
  const version = /^"([1-9]\d{0,8})"$/.exec(ifMatch.trim())?.[1];
  if (version === undefined) {
    throw new ProblemError(412, 'stale_version', 'If-Match is not an ETag of this resource');
  }
  return Number(version);
}
