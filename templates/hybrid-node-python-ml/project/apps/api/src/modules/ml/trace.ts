import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { traces } from '../../traces/traces.ts';

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** What lets the service's log lines and spans be joined with ours (W3C Trace Context). */
export function traceparentOf(headers: IncomingHttpHeaders): string {
  const here = traces()?.here();
  if (here !== undefined) return here;
  const given = headers.traceparent;
  if (typeof given === 'string' && TRACEPARENT.test(given)) return given;
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-00`;
}

export function traceIdOf(traceparent: string): string {
  return traceparent.split('-')[1] ?? '';
}
