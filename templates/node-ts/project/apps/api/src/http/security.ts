import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import cors from '@fastify/cors';
import rateLimit from '@fastify/rate-limit';
import type { FastifyRequest } from 'fastify';
import helmet from 'helmet';
import type { Config } from '../config.ts';
import type { App } from './app.ts';
import { ProblemError } from './problems.ts';

/** What Sec-Fetch-Site says of pages that are not our own. */
const ELSEWHERE = ['cross-site', 'same-site'];
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** Headers, CORS, rate limit and the check of origins: for every route, whoever adds it. */
export async function registerSecurity(app: App, config: Config): Promise<void> {
  const headers = securityHeaders(config);
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
  await app.register(cors, {
    origin: [...config.CORS_ORIGINS],
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: [
      'content-type',
      'idempotency-key',
      'if-match',
      'if-none-match',
      'x-request-id',
    ],
    exposedHeaders: ['etag', 'location', 'x-request-id', 'retry-after'],
    maxAge: 600,
    // An OPTIONS that is no preflight gets the same answer: the plugin's refusal is no problem document.
    strictPreflight: false,
  });
  await app.register(rateLimit, {
    max: config.RATE_LIMIT_MAX,
    timeWindow: '1 minute',
    errorResponseBuilder: (_request, { after }) =>
      new ProblemError(429, 'too_many_requests', `Too many requests: try again in ${after}`),
  });
  registerOriginCheck(app, config);
}

/** The same for every answer, so helmet puts them together once, and not for each. */
function securityHeaders({ PUBLIC_URL }: Config): OutgoingHttpHeaders {
  const answer = new ServerResponse(new IncomingMessage(new Socket()));
  const set = helmet({
    // An API serves no pages: nothing may be loaded, framed or run from its answers.
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    strictTransportSecurity: PUBLIC_URL.startsWith('https:'),
  });
  set(answer.req, answer, (error?: unknown) => {
    if (error) throw error;
  });
  return answer.getHeaders();
}

/**
 * Browsers name the page that asks: one that we do not know may not use our cookies to change
 * anything, nor to open a WebSocket, which CORS does not keep it from.
 */
export function createOriginCheck({ PUBLIC_URL, CORS_ORIGINS }: Config) {
  const known = new Set([PUBLIC_URL, ...CORS_ORIGINS]);
  return async ({ headers }: FastifyRequest): Promise<void> => {
    const { origin, 'sec-fetch-site': site } = headers;
    // Without either header it is no browser, and nobody else's cookies can be misused.
    if (origin === undefined ? !ELSEWHERE.includes(`${site}`) : known.has(origin)) return;
    throw new ProblemError(403, 'unknown_origin', 'This origin may not change anything here');
  };
}

function registerOriginCheck(app: App, config: Config): void {
  const check = createOriginCheck(config);
  app.addHook('onRequest', async (request) => {
    if (!SAFE_METHODS.includes(request.method)) await check(request);
  });
}
