import { hash } from 'node:crypto';
import type { App } from './app.ts';
import { ProblemError } from './problems.ts';

const READS = ['GET', 'HEAD'];

export function etagOf({ version }: { readonly version: number }): string {
  return `"${version}"`;
}

export type Versions = readonly number[] | 'any';

/**
 * The versions that an If-Match header names; a change is made only to one of them.
 * A proxy that compresses marks our ETag: `W/"3"` (nginx), `"3-gzip"` (Apache). RFC 9110 would have
 * weak ones never match, since they may stand for different bytes. Ours stand for a version, whatever
 * the bytes, and no two states have the same: an older one is still refused.
 */
export function versionsOf(ifMatch: string | undefined): Versions {
  if (ifMatch === undefined) {
    throw new ProblemError(428, 'if_match_required', 'Send If-Match with the ETag that you read');
  }
  if (ifMatch.trim() === '*') return 'any';
  const versions = tagsOf(ifMatch).filter((tag) => /^[1-9]\d{0,8}$/.test(tag));
  if (versions.length === 0) {
    throw staleVersion();
  }
  return [...new Set(versions.map(Number))];
}

/** Answers 304 where the caller already has what is asked for, 412 where it is not what was wanted (RFC 9110, 13.1). */
export function registerNotModified(app: App): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (!READS.includes(request.method) || reply.statusCode !== 200) return payload;
    if (typeof payload !== 'string') return payload;
    const etag = String(reply.getHeader('etag') ?? `"${hash('sha1', payload, 'base64url')}"`);
    reply.header('etag', etag);
    const { 'if-match': wanted, 'if-none-match': known } = request.headers;
    if (wanted !== undefined && !isNamed(wanted, etag)) throw staleVersion();
    if (known === undefined || !isNamed(known, etag)) return payload;
    reply.code(304).removeHeader('content-type').removeHeader('content-length');
    // Of HEAD, Fastify itself sends no more than the length.
    return request.method === 'HEAD' ? payload : null;
  });
}

/** Whether a header such as If-None-Match names an ETag. */
export function isNamed(header: string, etag: string): boolean {
  if (header.trim() === '*') return true;
  const [tag = ''] = tagsOf(etag);
  return tagsOf(header).includes(tag);
}

function staleVersion(): ProblemError {
  return new ProblemError(412, 'stale_version', 'If-Match is not an ETag of this resource');
}

/** What stands between the quotes of each ETag, without the marks of proxies. */
function tagsOf(header: string): string[] {
  const tags = [...header.matchAll(/(?:W\/)?"([^"]*)"/g)].map(([, tag = '']) => tag);
  return tags.map((tag) => tag.replace(/-(?:gzip|br|zstd|deflate)$/, ''));
}
