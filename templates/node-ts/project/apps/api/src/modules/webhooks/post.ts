import type { lookup } from 'node:dns';
import { once } from 'node:events';
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { WebhookDeliveryError } from '@app/contracts';
import { type AddressGuard, AddressNotPublicError } from './addresses.ts';

/** What a receiver may take of us. */
export interface Limits {
  readonly connectMs: number;
  readonly headersMs: number;
  readonly wholeMs: number;
  /** Read of an answer's body, and thrown away: only its status counts. */
  readonly bodyBytes: number;
}

export const LIMITS: Limits = {
  connectMs: 5_000,
  headersMs: 10_000,
  wholeMs: 15_000,
  bodyBytes: 65_536,
};
const HEADER_BYTES = 16_384;

export interface Posting {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly guard: AddressGuard;
  readonly limits: Limits;
  /** Of the job: when it is aborted, nothing is known of the receiver. */
  readonly signal: AbortSignal;
  readonly resolve?: typeof lookup;
}

/** What came back: a status, or why there is none. */
export interface Answer {
  readonly status: number | null;
  readonly retryAfter?: string | undefined;
  readonly error: WebhookDeliveryError | null;
}

class TimeoutError extends Error {}

/** Sends one message, on a connection of its own and to a public address. It follows no redirects. */
export async function post(posting: Posting): Promise<Answer> {
  const { signal } = posting;
  try {
    const response = await send(posting);
    const status = response.statusCode ?? 0;
    return { status, retryAfter: response.headers['retry-after'], error: errorOf(status) };
  } catch (error) {
    signal.throwIfAborted();
    return { status: null, error: classOf(error as Error & { code?: string }) };
  }
}

async function send({ url, body, guard, limits, ...posting }: Posting): Promise<IncomingMessage> {
  const target = new URL(url);
  if (!guard.allowsHostOf(target)) throw new AddressNotPublicError(target.hostname);
  const { request } = target.protocol === 'https:' ? https : http;
  const sending = request(target, {
    method: 'POST',
    headers: { ...posting.headers, 'content-length': Buffer.byteLength(body) },
    agent: false,
    lookup: guard.lookup(posting.resolve),
    maxHeaderSize: HEADER_BYTES,
    signal: posting.signal,
  });
  const stopTimers = limitTime(sending, limits);
  try {
    sending.end(body);
    const [response] = (await once(sending, 'response')) as [IncomingMessage];
    await drain(response, limits.bodyBytes);
    return response;
  } finally {
    stopTimers();
    // Errors that come later are nobody's.
    sending.on('error', () => undefined).destroy();
  }
}

/** Each part has its time, so that a receiver that says nothing is given up early. */
function limitTime(sending: ClientRequest, limits: Limits): () => void {
  const after = (ms: number) => setTimeout(() => sending.destroy(new TimeoutError()), ms);
  const [connect, headers, whole] = [limits.connectMs, limits.headersMs, limits.wholeMs].map(after);
  const event = sending.protocol === 'https:' ? 'secureConnect' : 'connect';
  sending.once('socket', (socket) => socket.once(event, () => clearTimeout(connect)));
  sending.once('response', () => clearTimeout(headers));
  return () => {
    for (const timer of [connect, headers, whole]) clearTimeout(timer);
  };
}

/** Until the end or the bound; who hangs up on their own answer has answered. */
async function drain(response: IncomingMessage, most: number): Promise<void> {
  let read = 0;
  response.on('error', () => undefined);
  response.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read > most) response.destroy();
  });
  if (response.closed) return;
  // Not `once`, which rejects at an error.
  await new Promise((resolve) => response.once('close', resolve));
}

function errorOf(status: number): WebhookDeliveryError | null {
  if (status >= 200 && status < 300) return null;
  if (status === 410) return 'gone';
  return status >= 300 && status < 400 ? 'redirect' : 'status';
}

const NAME_ERRORS = ['ENOTFOUND', 'EAI_AGAIN', 'ENODATA'];
const LOST = /^(ECONNRESET|ECONNABORTED|EPIPE|HPE_|ERR_STREAM|ERR_HTTP)/;
const UNREACHABLE = /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|EHOSTDOWN|EACCES|EPERM)/;
const CERTIFICATE = /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_|SELF_|UNABLE_|HOSTNAME_|INVALID_|CRL_)/;

/** A class alone: messages of errors hold addresses of a network that may be ours. */
function classOf(error: Error & { code?: string; errors?: readonly unknown[] }) {
  if (error instanceof TimeoutError) return 'timeout';
  if (error instanceof AddressNotPublicError) return 'address_not_public';
  const code = error.code ?? '';
  if (code === 'ETIMEDOUT') return 'timeout';
  if (NAME_ERRORS.includes(code)) return 'name_not_found';
  if (CERTIFICATE.test(code)) return 'tls';
  if (UNREACHABLE.test(code)) return 'unreachable';
  if (LOST.test(code)) return 'connection_lost';
  return 'unreachable';
}
