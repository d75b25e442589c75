import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  type FastifyBaseLogger,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  LogController,
} from 'fastify';
import type { Config } from '../config.ts';
import { isUniqueViolation } from '../db/errors.ts';
import type { App } from './app.ts';
import { describeError } from './error-lines.ts';

const SECRET_KEYS = [
  'authorization',
  'cookie',
  '["set-cookie"]',
  'password',
  'newPassword',
  'currentPassword',
  'token',
  'secret',
];

/** pino paths of one key at the top, one level down and two levels down. */
function paths(key: string): string[] {
  const dot = key.startsWith('[') ? '' : '.';
  return [key, `*${dot}${key}`, `*.*${dot}${key}`];
}

type LoggerOptions = Exclude<FastifyServerOptions['logger'], boolean | undefined>;

/** JSON lines without secrets: neither in fields, nor in addresses, nor in errors. */
export function loggerOptions(config: Pick<Config, 'LOG_LEVEL'>): LoggerOptions {
  return {
    level: config.LOG_LEVEL,
    redact: { paths: SECRET_KEYS.flatMap(paths), censor: '[redacted]' },
    hooks: {
      // pino makes the message of an error the line's own when the line has none.
      logMethod(args, method) {
        const [first, ...rest] = args as unknown[];
        const fields = first instanceof Error ? { err: first } : first;
        if (rest.length === 0 && hasError(fields)) rest.push('an error');
        method.apply(this, [fields, ...rest] as typeof args);
      },
    },
    formatters: {
      log: (fields) =>
        Object.fromEntries(
          Object.entries(fields).map(([key, value]) =>
            key !== 'err' && value instanceof Error ? [key, describeError(value)] : [key, value],
          ),
        ),
    },
    serializers: {
      err: describeError,
      req: (request: FastifyRequest) => ({
        method: request.method,
        url: withoutValues(request.url),
        ip: request.ip,
      }),
    },
  };
}

function hasError(fields: unknown): boolean {
  return typeof fields === 'object' && fields !== null && 'err' in fields;
}

/** One line a request, when it is over; LOG_LEVEL=debug adds one for its beginning. */
export class RequestLines extends LogController {
  override incomingRequest(request: FastifyRequest): void {
    request.log.debug({ req: request }, 'incoming request');
  }

  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    const fields = { req: request, res: reply, responseTime: reply.elapsedTime };
    if (error) request.log.error({ ...fields, err: error }, 'request errored');
    else request.log.info(fields, 'request completed');
  }
}

/** People search for names, and links in mails carry tokens: in the query or, to reset a password, in the path. */
export function withoutValues(url: string): string {
  return url
    .replaceAll(/([?&][^=&#]*=)[^&#]*/g, '$1[redacted]')
    .replace(/(\/reset-password\/)[^/?#]+/, '$1[redacted]');
}

const REQUEST_ID = /^[\w.:-]{1,128}$/;

/** The caller's x-request-id where it is harmless, else a new one. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

const identified = new WeakSet<FastifyRequest>();

interface Identity {
  readonly userId: string;
  readonly organizationId?: string;
  readonly apiKeyId?: string;
}

/** Who asks, for whose data, by which key: every later line of the request says so. */
export function identify(
  request: FastifyRequest,
  reply: FastifyReply,
  { userId, organizationId, apiKeyId }: Identity,
): void {
  const known = {
    userId,
    ...(organizationId && { organizationId }),
    ...(apiKeyId && { apiKeyId }),
  };
  identified.add(request);
  request.log = request.log.child(known);
  reply.log = request.log;
}

/**
 * Without its reply: what has begun during a request, such as a timer, keeps this for a while after
 * its answer, and the garbage collector copies whatever hangs on it.
 */
const current = new AsyncLocalStorage<FastifyRequest>();

/** Lets `currentLog` find the request that it is called in. */
export function registerCurrentRequest(app: App): void {
  app.addHook('onRequest', (request, _reply, done) => current.run(request, done));
  // Reading a body goes on in the connection's events, which know nothing of the request.
  app.addHook('preValidation', (request, _reply, done) => current.run(request, done));
}

/** The same as `identify`, for code that is handed neither; whoever has the reply gives it the request's log. */
export function identifyCurrent(userId: string): void {
  const request = current.getStore();
  if (!request || identified.has(request)) return;
  identified.add(request);
  request.log = request.log.child({ userId });
}

/** The log of the request that is being answered, for code that is not handed it; else `otherwise`. */
export function currentLog(otherwise: FastifyBaseLogger): FastifyBaseLogger {
  return current.getStore()?.log ?? otherwise;
}

/**
 * The log of a library that knows nothing of requests. What it calls an error is one only when
 * an error comes with it that is not a caller's: the rest are remarks on what callers sent.
 */
export function libraryLog(from: string, log: FastifyBaseLogger) {
  return (level: 'debug' | 'info' | 'warn' | 'error', text: unknown, ...more: unknown[]): void => {
    const err = [text, ...more].find((each) => each instanceof Error);
    const plain = typeof text === 'string' && text !== '' && text !== err?.message;
    const message = plain ? text : 'reported by a library';
    const isOurs = err !== undefined && !isCallersMistake(err);
    const mildest = level === 'error' && !isOurs ? 'warn' : level;
    currentLog(log)[mildest]({ from, ...(err && { err }) }, message);
  };
}

function isCallersMistake(error: Error): boolean {
  if (isUniqueViolation(error)) return true;
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500;
}
