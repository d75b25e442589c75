import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isNamed } from '../../http/etag.ts';
import { ProblemError } from '../../http/problems.ts';
import type { FileRow } from './repository.ts';
import type { FileStorage, Range } from './storage.ts';

/** A file, or the range of it that was asked for: never as a page, whatever a browser makes of its bytes. */
export async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  storage: FileStorage,
  file: FileRow,
) {
  const etag = `"${file.sha256}"`;
  const { 'if-match': wanted, 'if-none-match': known } = request.headers;
  reply.header('etag', etag);
  if (wanted !== undefined && !isNamed(wanted, etag)) {
    throw new ProblemError(412, 'stale_version', 'If-Match is not the ETag of this file');
  }
  if (known !== undefined && isNamed(known, etag)) return reply.code(304).send();
  const range = rangeOf(request, file.size, etag);
  if (range === 'none') {
    reply.header('content-range', `bytes */${file.size}`);
    throw new ProblemError(416, 'range_not_satisfiable', `The file has ${file.size} bytes`);
  }
  const { start, end } = range ?? { start: 0, end: file.size - 1 };
  const bytes =
    request.method === 'HEAD' ? Readable.from([]) : await storage.read(file.id, { start, end });
  if (range) reply.code(206).header('content-range', `bytes ${start}-${end}/${file.size}`);
  return reply
    .headers({
      'accept-ranges': 'bytes',
      'content-type': file.type,
      'content-length': end - start + 1,
      'content-disposition': dispositionOf(file.name),
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
    })
    .send(bytes);
}

/** For saving under its name: RFC 6266, with RFC 8187 for what is not ASCII. */
export function dispositionOf(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const whole = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${whole}`;
}

/**
 * The one range that is asked for; undefined where all is to be sent: also for several ranges, for
 * what is no range of bytes, and where `If-Range` means another content.
 */
function rangeOf({ headers, method }: FastifyRequest, size: number, etag: string) {
  const { range, 'if-range': condition } = headers;
  if (method !== 'GET' || range === undefined) return undefined;
  if (condition !== undefined && condition !== etag) return undefined;
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range) ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') return lastOf(Number(last), size);
  if (last !== '' && Number(last) < Number(first)) return undefined;
  if (Number(first) >= size) return 'none';
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return { start: Number(first), end } satisfies Range;
}

function lastOf(count: number, size: number): Range | 'none' {
  if (count === 0) return 'none';
  return { start: Math.max(0, size - count), end: size - 1 };
}
