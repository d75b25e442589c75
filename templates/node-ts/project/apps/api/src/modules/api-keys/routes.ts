import {
  type ApiKey,
  ApiKeyPage,
  ApiKeyQuery,
  ApiKeyRotation,
  ApiKeyWithSecret,
  NewApiKey,
  OrganizationParams,
} from '@app/contracts';
import { z } from 'zod';
import {
  accessOf,
  BY_SESSION,
  ORGANIZATION_PATH,
  organizationNotFound,
} from '../../auth/access.ts';
import { newSecret } from '../../auth/api-key-secret.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../../db/errors.ts';
import { withTenant } from '../../db/tenant.ts';
import type { App } from '../../http/app.ts';
import { problems } from '../../http/openapi.ts';
import { ProblemError } from '../../http/problems.ts';
import type { Services } from '../../module.ts';
import {
  type ApiKeyRow,
  deleteApiKey,
  insertApiKey,
  listApiKeys,
  lockApiKey,
  rotateApiKey,
} from './repository.ts';
import { refuseMore, Scope } from './scopes.ts';

const PATH = `${ORGANIZATION_PATH}/api-keys`;

const Params = OrganizationParams.extend({ id: z.uuid() });
const Body = NewApiKey.extend({ scopes: z.array(Scope).min(1).max(100) }).meta({
  id: 'NewApiKey',
});
// No key manages keys: who has found one could make more of them.
const base = { tags: ['api-keys'], security: BY_SESSION };

/** All routes of the resource, in the order of the OpenAPI document. */
export function registerRoutes(app: App, services: Services): void {
  registerList(app, services);
  registerCreate(app, services);
  registerRotate(app, services);
  registerRevoke(app, services);
}

function registerList(app: App, { database, requires }: Services): void {
  app.get(
    PATH,
    {
      preParsing: requires('apiKey:read'),
      schema: {
        ...base,
        operationId: 'listApiKeys',
        summary: 'List API keys, newest first',
        params: OrganizationParams,
        querystring: ApiKeyQuery,
        response: { 200: ApiKeyPage, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const { items, nextCursor } = await withTenant(
        database,
        accessOf(request).organizationId,
        (tx) => listApiKeys(tx, request.query),
      );
      return reply.code(200).send({ items: items.map(toApiKey), nextCursor });
    },
  );
}

/** It takes no Idempotency-Key, since the answer would be kept, and the secret with it. */
function registerCreate(app: App, { database, requires }: Services): void {
  app.post(
    PATH,
    {
      preParsing: requires('apiKey:create'),
      schema: {
        ...base,
        operationId: 'createApiKey',
        summary: 'Make an API key, and be shown its secret',
        params: OrganizationParams,
        body: Body,
        response: {
          201: ApiKeyWithSecret,
          ...problems(400, 401, 403, 404, 409, 413, 415, 429),
        },
      },
    },
    async (request, reply) => {
      const access = accessOf(request);
      refuseMore(access, request.body.scopes);
      const secret = newSecret();
      const row = await withTenant(database, access.organizationId, (tx) =>
        insertApiKey(tx, request.body, secret, access.userId),
      ).catch(refused);
      if (!row) throw tooMany();
      request.log.info({ key: { id: row.id, scopes: row.scopes } }, 'API key made');
      return reply.code(201).send({ ...toApiKey(row), secret: secret.text });
    },
  );
}

function registerRotate(app: App, { database, requires }: Services): void {
  app.post(
    `${PATH}/:id/rotate`,
    {
      preParsing: requires('apiKey:rotate'),
      schema: {
        ...base,
        operationId: 'rotateApiKey',
        summary: 'Give an API key a new secret, and be shown it',
        params: Params,
        body: ApiKeyRotation,
        response: {
          200: ApiKeyWithSecret,
          ...problems(400, 401, 403, 404, 409, 413, 415, 429),
        },
      },
    },
    async (request, reply) => {
      const access = accessOf(request);
      const { id } = request.params;
      const secret = newSecret();
      const row = await withTenant(database, access.organizationId, async (tx) => {
        const key = await lockApiKey(tx, id);
        if (!key) throw notFound();
        refuseMore(access, key.scopes);
        if (key.isOver && request.body.expiresInDays === undefined) throw expired();
        return rotateApiKey(tx, id, request.body, secret, access.userId);
      });
      if (!row) throw notFound();
      request.log.info({ key: { id, scopes: row.scopes } }, 'API key rotated');
      return reply.code(200).send({ ...toApiKey(row), secret: secret.text });
    },
  );
}

function registerRevoke(app: App, { database, requires }: Services): void {
  app.delete(
    `${PATH}/:id`,
    {
      preParsing: requires('apiKey:revoke'),
      schema: {
        ...base,
        operationId: 'revokeApiKey',
        summary: 'End an API key, at once and for good',
        params: Params,
        response: { 204: z.undefined(), ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const found = await withTenant(database, accessOf(request).organizationId, (tx) =>
        deleteApiKey(tx, id),
      );
      if (!found) throw notFound();
      request.log.info({ key: { id } }, 'API key revoked');
      return reply.code(204).send();
    },
  );
}

function toApiKey(row: ApiKeyRow): ApiKey {
  const { id, name, preview, scopes, madeBy } = row;
  const isInGrace = row.previousUntil !== null && row.previousUntil > new Date();
  return {
    id,
    name,
    preview,
    scopes,
    madeBy,
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt?.toISOString() ?? null,
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    previousSecretUntil: isInGrace ? (row.previousUntil?.toISOString() ?? null) : null,
  };
}

/** Another organization's key is not there either: its existence is nobody's business. */
function notFound(): ProblemError {
  return new ProblemError(404, 'api_key_not_found', 'There is no such API key');
}

function expired(): ProblemError {
  const detail = 'It has expired: say with expiresInDays how long it shall live from now on';
  return new ProblemError(409, 'api_key_expired', detail);
}

function tooMany(): ProblemError {
  return new ProblemError(409, 'too_many_api_keys', 'Revoke those that nobody needs any more');
}

function refused(error: unknown): never {
  if (isUniqueViolation(error)) {
    throw new ProblemError(409, 'name_taken', 'An API key with this name already exists');
  }
  // Deleted since `requires` found it.
  if (isForeignKeyViolation(error)) throw organizationNotFound();
  throw error;
}
