import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { ConnectionError, FastifyInstance } from 'fastify';
import type { Config } from '../config.ts';
import type { App } from './app.ts';
import { PROBLEM_TYPE, problem } from './problems.ts';

/** How often Node looks for requests that take too long to come. */
const CHECK_MS = 1_000;

/** How long callers may take, and what those are told who take longer or speak no HTTP. */
export function connectionOptions(config: Config) {
  const { REQUEST_TIMEOUT_MS: requestTimeout, HEADERS_TIMEOUT_MS: headers } = config;
  // Node refuses to start with more time for the headers than for all of the request.
  const headersTimeout = requestTimeout > 0 ? Math.min(headers, requestTimeout) : headers;
  return {
    requestTimeout,
    connectionTimeout: config.CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: config.KEEP_ALIVE_TIMEOUT_MS,
    http: { requestTimeout, headersTimeout, connectionsCheckingInterval: CHECK_MS },
    clientErrorHandler: answerClientError,
  };
}

/** The last request of a connection to which `giveTime` has given a time of its own. */
const withOwnTime = new WeakMap<Socket, IncomingMessage>();

/** Gives a request so long to come whole, instead of REQUEST_TIMEOUT_MS; then 408, as for all others. */
export function giveTime(app: App, response: ServerResponse, milliseconds: number): void {
  const { req: request } = response;
  const { socket } = request;
  // Requests that come over no network, as in tests, are never late.
  if (!(socket instanceof Socket)) return;
  withOwnTime.set(socket, request);
  const timer = setTimeout(() => {
    withOwnTime.delete(socket);
    const error = Object.assign(new Error('too slow'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    if (!request.complete) app.server.emit('clientError', error, socket);
  }, milliseconds).unref();
  const over = () => {
    clearTimeout(timer);
    if (withOwnTime.get(socket) === request) withOwnTime.delete(socket);
  };
  request.once('close', over);
  // What was refused meanwhile has no more time than others.
  response.once('finish', over);
}

/** Node has one limit for all requests of a server, and asks nobody before it is over. */
function hasOwnTime(error: ConnectionError, socket: Socket): boolean {
  return error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && withOwnTime.get(socket)?.complete === false;
}

/** Any token is a method; the parser knows those of node:http's METHODS. */
const REQUEST_LINE = /^[\w!#$%&'*+.^`|~-]+ \S+ HTTP\/1\.[01]\r\n/;
const ALLOW = 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT';

/** What Node's parser refuses, or waits for in vain, is no request: the bare connection is answered. */
function answerClientError(this: FastifyInstance, error: ConnectionError, socket: Socket): void {
  if (hasOwnTime(error, socket)) return;
  const requestId = randomUUID();
  this.log.debug({ err: error, reqId: requestId }, 'not a request');
  if (socket.writable && error.code !== 'ECONNRESET' && !hasAnswer(socket)) {
    socket.write(toResponse(error, requestId));
  }
  socket.destroy();
}

/** Node's own handler looks here, too: a second status line would be read as part of the first answer. */
function hasAnswer(socket: Socket & { _httpMessage?: { headersSent: boolean } | null }): boolean {
  return socket._httpMessage?.headersSent ?? false;
}

function toResponse(error: ConnectionError, requestId: string): string {
  const problem = toProblem(error, requestId);
  const body = JSON.stringify(problem);
  const headers = {
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-request-id': requestId,
    connection: 'close',
    ...(problem.status === 405 && { allow: ALLOW }),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${problem.status} ${problem.title}`, ...lines, '', body].join('\r\n');
}

function toProblem(error: ConnectionError, requestId: string) {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return problem(408, 'request_timeout', 'The request did not come in time', requestId);
    case 'HPE_HEADER_OVERFLOW':
      return problem(431, 'headers_too_large', 'The headers are too large', requestId);
    case 'HPE_INVALID_METHOD':
      if (!REQUEST_LINE.test(String(error.rawPacket))) break;
      return problem(405, 'method_not_allowed', `Only ${ALLOW} are possible`, requestId);
  }
  return problem(400, 'bad_request', 'This is not a valid HTTP request', requestId);
}
