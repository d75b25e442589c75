import { hash } from 'node:crypto';
import type { App } from './app.ts';
import { ProblemError } from './problems.ts';

export function etagOf({ version }: { readonly version: number }): string {
  return `"${version}"`;
}

/**
 * The versions that an If-Match header names; a change is made only to one of them.
 * A proxy that compresses marks our ETag: `W/"3"` (nginx), `"3-gzip"` (Apache). RFC 9110 would have
 * weak ones never match, since they may stand for different bytes. Ours stand for a version, whatever
 * the bytes, and no two states have the same: an older one is still refused.
 */
export function versionsOf(ifMatch: string | undefined): readonly number[] | 'any' {
  if (ifMatch === undefined) {
    throw new ProblemError(428, 'if_match_required', 'Send If-Match with the ETag that you read');
  }
  if (ifMatch.trim() === '*') return 'any';
  const versions = tagsOf(ifMatch).filter((tag) => /^[1-9]\d{0,8}$/.test(tag));
  if (versions.length === 0) {
    throw new ProblemError(412, 'stale_version', 'If-Match is not an ETag of this resource');
  }
  return [...new Set(versions.map(Number))];
}

/** Answers 304 where the caller already has what a GET would send (RFC 9110, 13.1.2). */
export function registerNotModified(app: App): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (request.method !== 'GET' || reply.statusCode !== 200) return payload;
    if (typeof payload !== 'string') return payload;
    const etag = String(reply.getHeader('etag') ?? `"${hash('sha1', payload, 'base64url')}"`);
    reply.header('etag', etag);
    if (!isKnown(etag, request.headers['if-none-match'])) return payload;
    reply.code(304).removeHeader('content-type').removeHeader('content-length');
    return null;
  });
}

function isKnown(etag: string, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  const [tag = ''] = tagsOf(etag);
  return tagsOf(ifNoneMatch).includes(tag);
}

/** What stands between the quotes of each ETag, without the marks of proxies. */
function tagsOf(header: string): string[] {
  const tags = [...header.matchAll(/(?:W\/)?"([^"]*)"/g)].map(([, tag = '']) => tag);
  return tags.map((tag) => tag.replace(/-(?:gzip|br|zstd|deflate)$/, ''));
}
