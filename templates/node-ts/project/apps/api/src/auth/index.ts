import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config.ts';
import type { App } from '../http/app.ts';
import { PROBLEM_TYPE } from '../http/problems.ts';
import { AUTH_PATH, type Auth, CLIENT_IP_HEADER } from './better-auth.ts';

/** Where passwords, tokens or mailboxes could be tried one after the other. */
const GUESSABLE = [
  '/sign-in/email',
  '/sign-up/email',
  '/request-password-reset',
  '/reset-password',
  '/send-verification-email',
  '/change-password',
];

/** Everything below /api/auth is better-auth's, and passes through all of our hooks. */
export async function registerAuth(app: App, auth: Auth, config: Config): Promise<void> {
  // A scope of its own: better-auth parses bodies itself; here they are only kept to the size limit.
  await app.register(async (scope: App) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    const handler = (request: FastifyRequest, reply: FastifyReply) =>
      answer(auth, config.PUBLIC_URL, request, reply);
    const schema = { hide: true };

    const strict = { rateLimit: { max: config.AUTH_RATE_LIMIT_MAX } };
    for (const path of GUESSABLE) {
      scope.post(`${AUTH_PATH}${path}`, { schema, config: strict }, handler);
    }
    scope.route({ method: ['GET', 'POST'], url: `${AUTH_PATH}/*`, schema, handler });
  });
}

async function answer(auth: Auth, publicUrl: string, request: FastifyRequest, reply: FastifyReply) {
  const response = await auth.handler(toWebRequest(request, publicUrl));
  reply.code(response.status);
  for (const [name, value] of response.headers) reply.header(name, value);
  const text = await response.text();
  if (response.status < 400) return reply.send(text);
  return reply.type(PROBLEM_TYPE).send(toProblem(response.status, text, request.id));
}

function toWebRequest(request: FastifyRequest, publicUrl: string): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, [value].flat().join(', '));
  }
  headers.set(CLIENT_IP_HEADER, request.ip);
  const body = request.body as Buffer<ArrayBuffer> | undefined;
  return new Request(new URL(request.url, publicUrl), {
    method: request.method,
    headers,
    ...(body && { body }),
  });
}

/** A problem that keeps better-auth's `code` and `message`, which its clients look for. */
function toProblem(status: number, text: string, requestId: string): string {
  const { code, message } = parseError(text);
  const title = STATUS_CODES[status] ?? 'Error';
  return JSON.stringify({
    type: 'about:blank',
    title,
    status,
    code: code ?? title.toLowerCase().replaceAll(' ', '_'),
    detail: message ?? title,
    message: message ?? title,
    requestId,
  });
}

function parseError(text: string): { code?: string; message?: string } {
  try {
    return (JSON.parse(text) as { code?: string; message?: string } | null) ?? {};
  } catch {
    return {};
  }
}
