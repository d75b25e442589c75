import { LiveMessage, LivePresence, LiveQuery, OrganizationParams } from '@app/contracts';
import { z } from 'zod';
import {
  accessOf,
  BY_SESSION,
  BY_SESSION_OR_API_KEY,
  ORGANIZATION_PATH,
} from '../../auth/access.ts';
import type { App } from '../../http/app.ts';
import { problems } from '../../http/openapi.ts';
import { ProblemError } from '../../http/problems.ts';
import { createOriginCheck } from '../../http/security.ts';
import type { Services } from '../../module.ts';
import type { Hub } from './hub.ts';
import { openEvents, openSocket } from './open.ts';
import type { Presence } from './presence.ts';

const PATH = `${ORGANIZATION_PATH}/events`;
const base = { tags: ['live'], params: OrganizationParams, querystring: LiveQuery };
const Headers = z.object({
  'last-event-id': z
    .string()
    .optional()
    .describe('Sent by browsers that come back; stronger than `after`'),
});

/** All routes of the module, in the order of the OpenAPI document. */
export function registerRoutes(
  app: App,
  services: Services,
  hub: Hub,
  presence: Presence | undefined,
): void {
  registerEvents(app, services, hub);
  registerSocket(app, services, hub);
  registerPresence(app, services, presence);
}

function registerEvents(app: App, { requires }: Services, hub: Hub): void {
  app.get(
    PATH,
    {
      // It would never end either.
      exposeHeadRoute: false,
      config: { stream: true },
      preParsing: requires('liveEvent:read'),
      schema: {
        ...base,
        security: BY_SESSION_OR_API_KEY,
        operationId: 'listenToEvents',
        summary: 'What happens in the organization, as server-sent events',
        description:
          'A stream that does not end by itself. Each `data` is a LiveMessage in JSON, each `id` its sequence.',
        headers: Headers,
        response: {
          200: {
            description: 'Server-sent events',
            content: { 'text/event-stream': { schema: LiveMessage } },
          },
          ...problems(400, 401, 403, 404, 429),
        },
      },
    },
    (request, reply) => {
      const { 'last-event-id': last } = request.headers;
      const after = last ? LiveQuery.shape.after.safeParse(last).data : request.query.after;
      return openEvents(hub, accessOf(request), { request, reply, after });
    },
  );
}

function registerSocket(app: App, { requires, config }: Services, hub: Hub): void {
  app.route({
    method: 'GET',
    url: `${PATH}/socket`,
    exposeHeadRoute: false,
    config: { stream: true },
    onRequest: createOriginCheck(config),
    preParsing: requires('liveEvent:read'),
    schema: {
      ...base,
      security: BY_SESSION,
      operationId: 'listenOverSocket',
      summary: 'What happens in the organization, over a WebSocket',
      description:
        'An upgrade (101). Each text message is a LiveMessage in JSON. Send nothing: that ends it.',
      response: problems(400, 401, 403, 404, 426, 429),
    },
    // While there is an answer to give: later there is only a code.
    preHandler: async (request) => hub.leave(hub.enter(accessOf(request))),
    handler: async (_request, reply) => {
      reply.headers({ upgrade: 'websocket', connection: 'Upgrade' });
      throw new ProblemError(426, 'upgrade_required', 'This is for WebSockets alone');
    },
    wsHandler: (socket, request) => {
      const { after } = LiveQuery.parse(request.query);
      return openSocket(hub, accessOf(request), { socket, after, log: request.log });
    },
  });
}

function registerPresence(app: App, { requires }: Services, presence: Presence | undefined): void {
  app.get(
    `${ORGANIZATION_PATH}/presence`,
    {
      preParsing: requires('liveEvent:read'),
      schema: {
        tags: ['live'],
        security: BY_SESSION_OR_API_KEY,
        operationId: 'readPresence',
        summary: 'Who of the organization listens, to whichever process',
        params: OrganizationParams,
        response: { 200: LivePresence, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      if (!presence) {
        throw new ProblemError(503, 'presence_not_configured', 'Set LIVE_PRESENCE=true');
      }
      const userIds = await presence.list(accessOf(request).organizationId);
      return reply.code(200).send({ userIds });
    },
  );
}
