import { STATUS_CODES } from 'node:http';
import { Problem } from '@app/contracts';
import swagger from '@fastify/swagger';
import { createJsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { App } from './app.ts';
import { RETRY_AFTER, tidyDocument } from './openapi-tidy.ts';
import { PROBLEM_TYPE } from './problems.ts';

/** Collects the routes' schemas into an OpenAPI 3.1 document and serves it. */
export async function registerOpenApi(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'API',
        version: '1',
        description:
          'Accounts, sessions and organizations live at /api/auth, as better-auth has them.',
      },
      servers: [{ url: '/' }],
      components: {
        headers: {
          [RETRY_AFTER]: {
            description: 'How soon to try again, in seconds',
            schema: { type: 'integer', minimum: 0 },
          },
        },
        securitySchemes: {
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: 'app.session_token',
            description: 'Set by POST /api/auth/sign-in/email; on https `__Secure-` precedes it',
          },
          apiKey: {
            type: 'http',
            scheme: 'bearer',
            description:
              'For programs: a key of one organization, which its owners and admins make',
          },
          fileLink: {
            type: 'apiKey',
            in: 'query',
            name: 'signature',
            description: 'Part of the address that was given out for one file, for a short while',
          },
        },
      },
    },
    // Its own, since it remembers the schemas that were there when it was first asked.
    transform: createJsonSchemaTransform({}),
    transformObject: (source) => tidyDocument(jsonSchemaTransformObject(source)),
  });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}

/** Under load, or while the database is away or busy, every route answers with it. */
const ANYWHERE = 503;

/** Response schemas of the problems that a route answers with, and of those that any may. */
export function problems<const Status extends number>(...statuses: readonly Status[]) {
  const entries = [...statuses, ANYWHERE].map((status) => [
    status,
    problem(STATUS_CODES[status] ?? 'Error'),
  ]);
  return {
    ...(Object.fromEntries(entries) as Record<Status | typeof ANYWHERE, ProblemResponse>),
    default: problem('Any other error'),
  };
}

interface ProblemResponse {
  description: string;
  content: { [PROBLEM_TYPE]: { schema: typeof Problem } };
}

function problem(description: string): ProblemResponse {
  return { description, content: { [PROBLEM_TYPE]: { schema: Problem } } };
}
