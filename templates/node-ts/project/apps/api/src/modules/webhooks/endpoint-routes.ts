import { randomUUID } from 'node:crypto';
import {
  NewWebhookEndpoint,
  OrganizationParams,
  PageQuery,
  WebhookEndpoint,
  WebhookEndpointChanges,
  WebhookEndpointPage,
  WebhookEndpointWithSecret,
} from '@app/contracts';
import { z } from 'zod';
import {
  accessOf,
  BY_SESSION_OR_API_KEY,
  ORGANIZATION_PATH,
  organizationPath,
} from '../../auth/access.ts';
import { withTenant } from '../../db/tenant.ts';
import type { App } from '../../http/app.ts';
import { etagOf, versionsOf } from '../../http/etag.ts';
import { problems } from '../../http/openapi.ts';
import type { Services } from '../../module.ts';
import { changedMeanwhile, notFound, refused, toEndpoint, tooMany } from './endpoint-answers.ts';
import { acceptUrl } from './endpoint-url.ts';
import {
  deleteEndpoint,
  findEndpoint,
  insertEndpoint,
  listEndpoints,
  updateEndpoint,
} from './endpoints.ts';
import type { Parts } from './jobs.ts';
import { newSecret } from './secrets.ts';

const PATH = `${ORGANIZATION_PATH}/webhook-endpoints`;

const Params = OrganizationParams.extend({ id: z.uuid() });
const IfMatch = z.object({ 'if-match': z.string().optional().describe('The ETag as read') });
const base = { tags: ['webhooks'], security: BY_SESSION_OR_API_KEY };

/** Those of every resource, in the order of the OpenAPI document; endpoint-actions.ts has the others. */
export function registerEndpointRoutes(app: App, services: Services, parts: Parts): void {
  registerList(app, services);
  registerCreate(app, services, parts);
  registerRead(app, services);
  registerUpdate(app, services, parts);
  registerDelete(app, services);
}

/** One of those that there are; the API document lists them. */
function eventTypesOf({ eventTypes }: Parts) {
  const names = eventTypes.map(({ name }) => name);
  const type = z.string().refine((name) => names.includes(name), 'Must be one of those listed');
  const listed = names.length > 0 ? type.meta({ enum: names }) : type;
  return z.array(listed).min(1).max(100);
}

function rulesOf({ config }: Services, { guard }: Parts) {
  return { guard, isProduction: config.NODE_ENV === 'production' };
}

function registerList(app: App, { database, requires }: Services): void {
  app.get(
    PATH,
    {
      preParsing: requires('webhook:read'),
      schema: {
        ...base,
        operationId: 'listWebhookEndpoints',
        summary: 'List webhook endpoints, newest first',
        params: OrganizationParams,
        querystring: PageQuery,
        response: { 200: WebhookEndpointPage, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const { items, nextCursor } = await withTenant(
        database,
        accessOf(request).organizationId,
        (tx) => listEndpoints(tx, request.query),
      );
      return reply.code(200).send({ items: items.map(toEndpoint), nextCursor });
    },
  );
}

/** It takes no Idempotency-Key, since the answer would be kept, and the secret with it. */
function registerCreate(app: App, services: Services, parts: Parts): void {
  const { database, requires } = services;
  const eventTypes = eventTypesOf(parts);
  app.post(
    PATH,
    {
      preParsing: requires('webhook:create'),
      schema: {
        ...base,
        operationId: 'createWebhookEndpoint',
        summary: 'Have events sent to a URL, and be shown the secret that verifies them',
        params: OrganizationParams,
        body: NewWebhookEndpoint.extend({ eventTypes }).meta({ id: 'NewWebhookEndpoint' }),
        response: {
          201: WebhookEndpointWithSecret,
          ...problems(400, 401, 403, 404, 409, 413, 415, 429),
        },
      },
    },
    async (request, reply) => {
      const url = acceptUrl(request.body.url, rulesOf(services, parts));
      const [id, secret] = [randomUUID(), newSecret()];
      const values = { ...request.body, url, id, secret: parts.box.seal(secret, id) };
      const row = await withTenant(database, accessOf(request).organizationId, (tx) =>
        insertEndpoint(tx, values),
      ).catch(refused);
      if (!row) throw tooMany();
      request.log.info({ endpointId: id }, 'webhook endpoint made');
      reply.header('location', `${organizationPath(request.params)}/webhook-endpoints/${id}`);
      reply.header('etag', etagOf(row));
      return reply.code(201).send({ ...toEndpoint(row), secret });
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
        operationId: 'readWebhookEndpoint',
        summary: 'Read a webhook endpoint',
        params: Params,
        response: { 200: WebhookEndpoint, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const row = await withTenant(database, accessOf(request).organizationId, (tx) =>
        findEndpoint(tx, request.params.id),
      );
      if (!row) throw notFound();
      return reply.code(200).header('etag', etagOf(row)).send(toEndpoint(row));
    },
  );
}

function registerUpdate(app: App, services: Services, parts: Parts): void {
  const { database, requires } = services;
  const eventTypes = eventTypesOf(parts).optional();
  const Changes = WebhookEndpointChanges.extend({ eventTypes })
    .refine((changes) => Object.keys(changes).length > 0, 'Name at least one field to change')
    .meta({ id: 'WebhookEndpointChanges', minProperties: 1 });
  app.patch(
    `${PATH}/:id`,
    {
      preParsing: requires('webhook:update'),
      schema: {
        ...base,
        operationId: 'updateWebhookEndpoint',
        summary: 'Change, enable or disable a webhook endpoint',
        params: Params,
        headers: IfMatch,
        body: Changes,
        response: {
          200: WebhookEndpoint,
          ...problems(400, 401, 403, 404, 409, 412, 413, 415, 428, 429),
        },
      },
    },
    async (request, reply) => {
      const versions = versionsOf(request.headers['if-match']);
      const { id } = request.params;
      const { url, ...rest } = request.body;
      const changes = {
        ...rest,
        ...(url !== undefined && { url: acceptUrl(url, rulesOf(services, parts)) }),
      };
      const row = await withTenant(database, accessOf(request).organizationId, async (tx) => {
        const updated = await updateEndpoint(tx, id, versions, changes);
        if (updated) return updated;
        throw (await findEndpoint(tx, id)) ? changedMeanwhile() : notFound();
      }).catch(refused);
      return reply.code(200).header('etag', etagOf(row)).send(toEndpoint(row));
    },
  );
}

function registerDelete(app: App, { database, requires }: Services): void {
  app.delete(
    `${PATH}/:id`,
    {
      preParsing: requires('webhook:delete'),
      schema: {
        ...base,
        operationId: 'deleteWebhookEndpoint',
        summary: 'Delete a webhook endpoint and its deliveries',
        params: Params,
        headers: IfMatch,
        response: { 204: z.undefined(), ...problems(400, 401, 403, 404, 412, 429) },
      },
    },
    async (request, reply) => {
      const ifMatch = request.headers['if-match'];
      const versions = ifMatch === undefined ? 'any' : versionsOf(ifMatch);
      const { id } = request.params;
      await withTenant(database, accessOf(request).organizationId, async (tx) => {
        if (await deleteEndpoint(tx, id, versions)) return;
        throw (await findEndpoint(tx, id)) ? changedMeanwhile() : notFound();
      });
      request.log.info({ endpointId: id }, 'webhook endpoint deleted');
      return reply.code(204).send();
    },
  );
}
