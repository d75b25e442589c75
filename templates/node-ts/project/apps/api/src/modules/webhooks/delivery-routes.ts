import {
  OrganizationParams,
  WebhookDelivery,
  WebhookDeliveryError,
  WebhookDeliveryPage,
  WebhookDeliveryQuery,
  WebhookDeliveryWithPayload,
} from '@app/contracts';
import { z } from 'zod';
import { accessOf, BY_SESSION_OR_API_KEY, ORGANIZATION_PATH } from '../../auth/access.ts';
import { withTenant } from '../../db/tenant.ts';
import type { App } from '../../http/app.ts';
import { problems } from '../../http/openapi.ts';
import { ProblemError } from '../../http/problems.ts';
import { IdempotencyHeaders, once } from '../../idempotency/once.ts';
import type { Services } from '../../module.ts';
import { type DeliveryRow, findDelivery, listDeliveries } from './deliveries.ts';
import { sendAgain } from './delivering.ts';
import { disabled } from './endpoint-answers.ts';
import { findEndpoint } from './endpoints.ts';

const PATH = `${ORGANIZATION_PATH}/webhook-deliveries`;

const Params = OrganizationParams.extend({ id: z.uuid() });
const base = { tags: ['webhooks'], security: BY_SESSION_OR_API_KEY };

/** All routes of the resource, in the order of the OpenAPI document. */
export function registerDeliveryRoutes(app: App, services: Services): void {
  registerList(app, services);
  registerRead(app, services);
  registerResend(app, services);
}

function registerList(app: App, { database, requires }: Services): void {
  app.get(
    PATH,
    {
      preParsing: requires('webhook:read'),
      schema: {
        ...base,
        operationId: 'listWebhookDeliveries',
        summary: 'List what was sent to webhook endpoints, or is to be, newest first',
        params: OrganizationParams,
        querystring: WebhookDeliveryQuery,
        response: { 200: WebhookDeliveryPage, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const { items, nextCursor } = await withTenant(
        database,
        accessOf(request).organizationId,
        (tx) => listDeliveries(tx, request.query),
      );
      return reply.code(200).send({ items: items.map(toDelivery), nextCursor });
    },
  );
}

function registerRead(app: App, { database, requires }: Services): void {
  app.get(
    `${PATH}/:id`,
    {
      preParsing: requires('webhook:read'),
      schema: {
        ...base,
        operationId: 'readWebhookDelivery',
        summary: 'Read a webhook delivery, and what it sends',
        params: Params,
        response: { 200: WebhookDeliveryWithPayload, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const row = await withTenant(database, accessOf(request).organizationId, (tx) =>
        findDelivery(tx, request.params.id),
      );
      if (!row) throw notFound();
      return reply.code(200).send({ ...toDelivery(row), payload: row.payload });
    },
  );
}

function registerResend(app: App, { database, requires }: Services): void {
  app.post(
    `${PATH}/:id/resend`,
    {
      preParsing: requires('webhook:send'),
      schema: {
        ...base,
        operationId: 'resendWebhookDelivery',
        summary: 'Send a webhook message again, now, however it has ended',
        params: Params,
        headers: IdempotencyHeaders,
        response: { 202: WebhookDelivery, ...problems(400, 401, 403, 404, 409, 422, 429) },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const delivery = await withTenant(database, accessOf(request).organizationId, (tx) =>
        once(tx, request, async () => {
          const found = await findDelivery(tx, id);
          const endpoint = found && (await findEndpoint(tx, found.endpointId));
          if (!endpoint) throw notFound();
          if (!endpoint.isEnabled) throw disabled();
          const row = await sendAgain(tx, endpoint, id);
          if (!row) throw notFound();
          return toDelivery(row);
        }),
      );
      return reply.code(202).send(delivery);
    },
  );
}

export function toDelivery(row: DeliveryRow): WebhookDelivery {
  const { id, endpointId, messageId, eventType, status, attempts, responseStatus } = row;
  return {
    id,
    endpointId,
    messageId,
    eventType,
    status,
    attempts,
    responseStatus,
    error: WebhookDeliveryError.nullable().parse(row.error),
    lastAttemptAt: row.lastAttemptAt?.toISOString() ?? null,
    nextAttemptAt: row.nextAttemptAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}

/** Another organization's delivery is not there either: its existence is nobody's business. */
function notFound(): ProblemError {
  return new ProblemError(404, 'webhook_delivery_not_found', 'There is no such webhook delivery');
}
