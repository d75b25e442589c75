import { STATUS_CODES } from 'node:http';
import type { BetterAuthOptions } from 'better-auth';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import { brokenRule, isForeignKeyViolation, isUniqueViolation } from '../db/errors.ts';
import type { App } from '../http/app.ts';
import { problems } from '../http/openapi.ts';
import { PROBLEM_TYPE, ProblemError, sendError } from '../http/problems.ts';
import { atomically } from './atomic.ts';
import type { Attempts } from './attempts.ts';
import { AUTH_PATH, type Auth, CLIENT_IP_HEADER } from './better-auth.ts';
import { orDatabaseFailure } from './database-failures.ts';
import { routes } from './routes/index.ts';
import type { AuthRoute } from './routes/route.ts';
import { createReadMembership } from './session.ts';

/** Far more than any of better-auth's routes needs. */
const BODY_LIMIT = 65_536;

export interface AuthServices {
  readonly config: Config;
  readonly database: Database;
  readonly auth: Auth;
  readonly attempts: Attempts;
}

/** Everything below /api/auth is better-auth's, and passes through all of our hooks. */
export async function registerAuth(app: App, services: AuthServices): Promise<void> {
  await app.register(async (scope: App) => {
    scope.removeAllContentTypeParsers();
    scope.addHook('onRequest', async (request) => {
      if (request.url.includes('%00')) throw nulRefused();
    });
    scope.setErrorHandler<FastifyError>((error, request, reply) =>
      sendError(toExpected(error), request, reply),
    );
    await scope.register(async (described: App) => registerDescribed(described, services));
    await scope.register(async (rest: App) => registerRest(rest, services));
  });
}

/** The routes in routes/: better-auth gets what the contract has let through. */
function registerDescribed(scope: App, services: AuthServices): void {
  const parse = scope.getDefaultJsonParser('error', 'error');
  scope.addContentTypeParser<string>(
    'application/json',
    { parseAs: 'string', bodyLimit: limitOf(services) },
    (request, body, done) => {
      if (body === '') done(null);
      else if (holdsNul(body)) done(nulRefused());
      else void parse(request, body, done);
    },
  );
  const limitAccount = createAccountLimit(services);
  const strict = { rateLimit: { max: services.config.AUTH_RATE_LIMIT_MAX } };

  for (const [tag, list] of Object.entries(routes)) {
    for (const route of list) {
      scope.route({
        method: route.method,
        url: AUTH_PATH + route.path,
        ...(route.limit && { config: strict, preHandler: limitAccount(route) }),
        schema: {
          tags: [tag],
          operationId: route.operationId,
          summary: route.summary,
          security: route.open ? [] : [{ session: [] }],
          ...(route.body && { body: route.body }),
          ...(route.query && { querystring: route.query }),
          response: { 200: route.answer, ...problems(400, 401, 403, 413, 415, 429) },
        },
        handler: (request, reply) => answer(services, request, reply, checked(route, request)),
      });
    }
  }
}

/** Where a provider such as Google sends people back to. */
const CALLBACK = /^\/api\/auth\/callback\/([^/?]*)/;

/** better-auth's other routes, which only have to be harmless. */
function registerRest(scope: App, services: AuthServices): void {
  scope.addContentTypeParser<string>(
    'application/json',
    { parseAs: 'string', bodyLimit: limitOf(services) },
    (_request, body, done) => (holdsNul(body) ? done(nulRefused()) : done(null, body)),
  );
  const { socialProviders = {} } = services.auth.options as BetterAuthOptions;
  scope.addHook('onRequest', async ({ url }) => {
    const [, provider] = CALLBACK.exec(url) ?? [];
    if (provider !== undefined && !Object.hasOwn(socialProviders, provider)) {
      throw new ProblemError(404, 'not_found', 'There is nothing at this address');
    }
  });
  scope.route<{ Body: string | undefined }>({
    method: ['GET', 'POST'],
    url: `${AUTH_PATH}/*`,
    schema: { hide: true },
    handler: (request, reply) =>
      answer(services, request, reply, { url: request.url, body: request.body }),
  });
}

function limitOf({ config }: AuthServices): number {
  return Math.min(config.BODY_LIMIT, BODY_LIMIT);
}

/** By the address in the body; where there is none, by the user who is signed in. */
function createAccountLimit({ config, database, auth, attempts }: AuthServices) {
  const readMembership = createReadMembership(auth, database);
  const max = { password: config.ACCOUNT_RATE_LIMIT_MAX, mail: config.ACCOUNT_MAIL_LIMIT_MAX };

  return ({ operationId, limit }: AuthRoute) =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      const { email } = request.body as { email?: string };
      const account = email ?? (await readMembership(request, reply))?.userId;
      if (account === undefined || limit === undefined) return;
      const seconds = await attempts.take(operationId, account, max[limit]);
      if (seconds === 0) return;
      reply.header('retry-after', seconds);
      const detail = `Too many attempts on this account: try again in ${seconds} seconds`;
      throw new ProblemError(429, 'too_many_attempts', detail);
    };
}

interface Target {
  readonly url: string;
  readonly body: string | undefined;
  readonly atomic?: true | undefined;
}

/** What the contract knows of a request, and nothing else. */
function checked(route: AuthRoute, request: FastifyRequest): Target {
  const query = route.query ? new URLSearchParams(request.query as Record<string, string>) : '';
  const body = route.body ? JSON.stringify(request.body) : undefined;
  return { url: `${AUTH_PATH}${route.path}?${query}`, body, atomic: route.atomic };
}

async function answer(
  { auth, config, database }: AuthServices,
  request: FastifyRequest,
  reply: FastifyReply,
  target: Target,
) {
  const webRequest = toWebRequest(request, config.PUBLIC_URL, target);
  const ask = () => orDatabaseFailure(() => auth.handler(webRequest));
  const response = await (target.atomic ? atomically(database, ask) : ask());
  // better-auth has found out who asks.
  reply.log = request.log;
  reply.code(response.status);
  for (const [name, value] of response.headers) reply.header(name, value);
  const text = await response.text();
  if (response.status >= 400) {
    return reply.type(PROBLEM_TYPE).send(toProblem(response.status, text, request.id));
  }
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  // As a value, since a text would go out without being held to the contract.
  return reply.send(isJson && response.status === 200 ? JSON.parse(text) : text);
}

function toWebRequest(request: FastifyRequest, publicUrl: string, { url, body }: Target) {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, [value].flat().join(', '));
  }
  headers.set(CLIENT_IP_HEADER, request.ip);
  return new Request(new URL(url, publicUrl), {
    // Fastify leaves the body out by itself.
    method: request.method === 'HEAD' ? 'GET' : request.method,
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

/** What callers can cause is no error of ours; better-auth's clients know passwords by these codes. */
function toExpected(error: FastifyError): FastifyError {
  if (isUniqueViolation(error)) {
    return new ProblemError(409, 'already_exists', 'Somebody else was faster: it is there already');
  }
  if (isForeignKeyViolation(error)) {
    return new ProblemError(409, 'deleted_meanwhile', 'What it belongs to has been deleted');
  }
  const rule = brokenRule(error);
  if (rule?.name === 'members_keep_an_owner') {
    return new ProblemError(409, 'last_owner', 'An organization keeps at least one owner');
  }
  // Of a module that has one on our tables: it says what it is.
  if (rule) return new ProblemError(409, rule.name, rule.message);
  if (!hasZodFastifySchemaValidationErrors(error)) return error;
  const [issue] = error.validation;
  if (!issue?.instancePath.endsWith('assword')) return error;
  if (issue.keyword === 'too_small') {
    return new ProblemError(400, 'PASSWORD_TOO_SHORT', 'Password too short');
  }
  if (issue.keyword === 'too_big') {
    return new ProblemError(400, 'PASSWORD_TOO_LONG', 'Password too long');
  }
  return error;
}

/** PostgreSQL's texts cannot hold it, and JSON writes it as \u0000. */
function holdsNul(json: string): boolean {
  return /(?<!\\)(?:\\\\)*\\u0000/.test(json);
}

function nulRefused(): ProblemError {
  return new ProblemError(400, 'nul_refused', 'The request must not hold NUL characters');
}
