import { STATUS_CODES } from 'node:http';
import { addAbortSignal, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { ErrorEvent } from '@app/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from '../../http/problems.ts';
import { UnavailableError } from '../ml/failures.ts';
import { rootCause } from '../ml/index.ts';
import { HEARTBEAT } from './messages.ts';

/** After the deadline, how long a reader may take for the last event. */
const GRACE_MS = 1_000;

type Events = AsyncIterable<{ readonly type: string } | typeof HEARTBEAT>;

/** Sends as fast as the events are read, until they end or their deadline has passed. */
export async function sendEvents(
  events: Events,
  request: FastifyRequest,
  reply: FastifyReply,
  timeoutMs: number,
): Promise<void> {
  const latest = AbortSignal.timeout(timeoutMs + GRACE_MS);
  const source = addAbortSignal(latest, Readable.from(encode(events, request)));
  reply
    .code(200)
    .header('content-type', 'text/event-stream; charset=utf-8')
    .header('cache-control', 'no-store')
    .header('x-accel-buffering', 'no')
    .send(source);
  await finished(reply.raw).catch(() => source.destroy());
}

/** The wire's form; what ends a stream too early becomes its last event. */
async function* encode(events: Events, request: FastifyRequest): AsyncGenerator<string> {
  // At once, so that the reader has the headers.
  yield COMMENT;
  try {
    for await (const event of events) {
      yield event === HEARTBEAT ? COMMENT : line(event);
    }
  } catch (error) {
    request.log.warn({ cause: rootCause(error as Error) }, 'a stream ended early');
    yield line(failed(error, request.id));
  }
}

const COMMENT = ': heartbeat\n\n';

function line(event: { readonly type: string }): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

function failed(error: unknown, requestId: string): ErrorEvent {
  const [status, code, detail] = reasonOf(error);
  const title = STATUS_CODES[status] ?? 'Error';
  const problem = { type: 'about:blank', title, status, code, detail, requestId };
  return { type: 'error', problem };
}

function reasonOf(error: unknown): [number, string, string] {
  if (error instanceof UnavailableError) return [503, error.code, error.message];
  if (error instanceof ProblemError) return [error.statusCode, error.code, error.message];
  return [500, 'internal_error', 'Something went wrong on our side'];
}
