import { randomUUID } from 'node:crypto';
import {
  OrganizationParams,
  WebhookDelivery,
  WebhookEndpointWithSecret,
  WebhookRotation,
} from '@app/contracts';
import { z } from 'zod';
import { accessOf, BY_SESSION_OR_API_KEY, ORGANIZATION_PATH } from '../../auth/access.ts';
import { withTenant } from '../../db/tenant.ts';
import type { App } from '../../http/app.ts';
import { etagOf } from '../../http/etag.ts';
import { problems } from '../../http/openapi.ts';
import { IdempotencyHeaders, once } from '../../idempotency/once.ts';
import type { Services } from '../../module.ts';
import { messageOf, queueMessage } from './delivering.ts';
import { toDelivery } from './delivery-routes.ts';
import { disabled, notFound, toEndpoint } from './endpoint-answers.ts';
import { lockEndpoint, rotateSecret } from './endpoints.ts';
import type { Parts } from './jobs.ts';
import { newSecret } from './secrets.ts';

const PATH = `${ORGANIZATION_PATH}/webhook-endpoints/:id`;
const PING = 'webhooks.ping';

const Params = OrganizationParams.extend({ id: z.uuid() });
const base = { tags: ['webhooks'], security: BY_SESSION_OR_API_KEY };

/** What can be done with an endpoint beside changing it. */
export function registerEndpointActions(app: App, services: Services, parts: Parts): void {
  registerRotate(app, services, parts);
  registerPing(app, services);
}

function registerRotate(app: App, { database, requires }: Services, { box }: Parts): void {
  app.post(
    `${PATH}/rotate`,
    {
      preParsing: requires('webhook:update'),
      schema: {
        ...base,
        operationId: 'rotateWebhookSecret',
        summary: 'Give a webhook endpoint a new secret, and be shown it',
        params: Params,
        body: WebhookRotation,
        response: {
          200: WebhookEndpointWithSecret,
          ...problems(400, 401, 403, 404, 413, 415, 429),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const secret = newSecret();
      const row = await withTenant(database, accessOf(request).organizationId, (tx) =>
        rotateSecret(tx, id, request.body, box.seal(secret, id)),
      );
      if (!row) throw notFound();
      request.log.info({ endpointId: id }, 'webhook secret rotated');
      reply.header('etag', etagOf(row));
      return reply.code(200).send({ ...toEndpoint(row), secret });
    },
  );
}

function registerPing(app: App, { database, requires }: Services): void {
  app.post(
    `${PATH}/ping`,
    {
      preParsing: requires('webhook:send'),
      schema: {
        ...base,
        operationId: 'pingWebhookEndpoint',
        summary: 'Send a message of the type webhooks.ping',
        params: Params,
        headers: IdempotencyHeaders,
        response: { 202: WebhookDelivery, ...problems(400, 401, 403, 404, 409, 422, 429) },
      },
    },
    async (request, reply) => {
      const delivery = await withTenant(database, accessOf(request).organizationId, (tx) =>
        once(tx, request, async () => {
          const endpoint = await lockEndpoint(tx, request.params.id);
          if (!endpoint) throw notFound();
          if (!endpoint.isEnabled) throw disabled();
          const payload = messageOf(PING, {});
          const message = { messageId: `msg_${randomUUID()}`, eventType: PING, payload };
          const row = await queueMessage(tx, endpoint, message);
          if (!row) throw new Error('There is a message of this id');
          return toDelivery(row);
        }),
      );
      return reply.code(202).send(delivery);
    },
  );
}
