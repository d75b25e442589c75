import {
  DocumentPage,
  DocumentQuery,
  DocumentSummary,
  NewDocument,
  OrganizationParams,
  SearchQuery,
  SearchResults,
  StoredDocument,
} from '@app/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  accessOf,
  BY_SESSION_OR_API_KEY,
  ORGANIZATION_PATH,
  organizationPath,
} from '../../auth/access.ts';
import { withTenant } from '../../db/tenant.ts';
import type { App } from '../../http/app.ts';
import { problems } from '../../http/openapi.ts';
import { ProblemError } from '../../http/problems.ts';
import { IdempotencyHeaders, once } from '../../idempotency/once.ts';
import type { Services } from '../../module.ts';
import { createMlClient, type MlClient } from '../ml/client.ts';
import { MlUnavailableError } from '../ml/failures.ts';
import { answerFailures, goneSignal, rootCause } from '../ml/index.ts';
import type { MlSettings } from '../ml/settings.ts';
import { traceparentOf } from '../ml/trace.ts';
import { giveBack, spend } from '../ml-usage/meter.ts';
import { limitOf } from '../ml-usage/settings.ts';
import { type Embedded, embed } from './embedding.ts';
import { enqueueEmbedding } from './jobs.ts';
import { createMeasure } from './measure.ts';
import { passagesOf } from './passages.ts';
import { search } from './ranking.ts';
import {
  deleteDocument,
  findDocument,
  insertDocument,
  listDocuments,
  retryDocument,
} from './repository.ts';

const PATH = `${ORGANIZATION_PATH}/documents`;

const Params = OrganizationParams.extend({ id: z.uuid() });
const base = { tags: ['search'], security: BY_SESSION_OR_API_KEY };

export function registerRoutes(app: App, services: Services, ml: MlSettings): void {
  answerFailures(app);
  registerList(app, services);
  registerCreate(app, services);
  registerRead(app, services);
  registerRetry(app, services);
  registerDelete(app, services);
  registerSearch(app, services, ml);
}

function registerList(app: App, { database, requires }: Services): void {
  app.get(
    PATH,
    {
      preParsing: requires('document:read'),
      schema: {
        ...base,
        operationId: 'listDocuments',
        summary: 'List documents, newest first',
        params: OrganizationParams,
        querystring: DocumentQuery,
        response: { 200: DocumentPage, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const { items, nextCursor } = await withTenant(
        database,
        accessOf(request).organizationId,
        (tx) => listDocuments(tx, request.query),
      );
      return reply.code(200).send({ items: items.map(toDocument), nextCursor });
    },
  );
}

function registerCreate(app: App, services: Services): void {
  const { database, requires } = services;
  const limit = limitOf(services);
  app.post(
    PATH,
    {
      preParsing: requires('document:create'),
      schema: {
        ...base,
        operationId: 'createDocument',
        summary: 'Add a document, which is embedded in the background',
        params: OrganizationParams,
        headers: IdempotencyHeaders,
        body: NewDocument,
        response: {
          201: DocumentSummary,
          ...problems(400, 401, 403, 404, 409, 413, 415, 422, 429),
        },
      },
    },
    async (request, reply) => {
      const { organizationId } = accessOf(request);
      const document = await withTenant(database, organizationId, (tx) =>
        once(tx, request, async () => {
          await spend(tx, reply, passagesOf(request.body).length, limit);
          const created = toDocument(await insertDocument(tx, request.body));
          await enqueueEmbedding(tx, organizationId);
          return created;
        }),
      );
      reply.header('location', `${organizationPath(request.params)}/documents/${document.id}`);
      return reply.code(201).send(document);
    },
  );
}

function registerRead(app: App, { database, requires }: Services): void {
  app.get(
    `${PATH}/:id`,
    {
      preParsing: requires('document:read'),
      schema: {
        ...base,
        operationId: 'readDocument',
        summary: 'Read a document',
        params: Params,
        response: { 200: StoredDocument, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const row = await withTenant(database, accessOf(request).organizationId, (tx) =>
        findDocument(tx, request.params.id),
      );
      if (!row) throw notFound();
      return reply.code(200).send(toDocument(row));
    },
  );
}

function registerRetry(app: App, { database, requires }: Services): void {
  app.post(
    `${PATH}/:id/retry`,
    {
      preParsing: requires('document:create'),
      schema: {
        ...base,
        operationId: 'retryDocument',
        summary: 'Have a document embedded that is not, however often that has failed',
        params: Params,
        response: { 202: DocumentSummary, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const { organizationId } = accessOf(request);
      const row = await withTenant(database, organizationId, async (tx) => {
        const found = await retryDocument(tx, request.params.id);
        if (found?.status === 'pending') await enqueueEmbedding(tx, organizationId);
        return found;
      });
      if (!row) throw notFound();
      return reply.code(202).send(toDocument(row));
    },
  );
}

function registerDelete(app: App, { database, requires }: Services): void {
  app.delete(
    `${PATH}/:id`,
    {
      preParsing: requires('document:delete'),
      schema: {
        ...base,
        operationId: 'deleteDocument',
        summary: 'Delete a document',
        params: Params,
        response: { 204: z.undefined(), ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const isDeleted = await withTenant(database, accessOf(request).organizationId, (tx) =>
        deleteDocument(tx, request.params.id),
      );
      if (!isDeleted) throw notFound();
      return reply.code(204).send();
    },
  );
}

function registerSearch(app: App, services: Services, ml: MlSettings): void {
  const { database, metrics, requires } = services;
  const client = createMlClient(ml, (state) => app.log.warn({ state }, 'ml circuit of the search'));
  const measured = createMeasure(metrics, database);
  app.get(
    `${ORGANIZATION_PATH}/search`,
    {
      preParsing: requires('document:read'),
      schema: {
        ...base,
        operationId: 'searchDocuments',
        summary: 'Search the documents by meaning and by words',
        params: OrganizationParams,
        querystring: SearchQuery,
        response: { 200: SearchResults, ...problems(400, 401, 403, 404, 422, 429) },
      },
    },
    async (request, reply) => {
      const { query } = request;
      const results = await measured(async () => {
        const question = await meaningOf(query.q, { client, services, request, reply });
        return withTenant(database, accessOf(request).organizationId, (tx) =>
          search(tx, query, question),
        );
      });
      return reply.code(200).send(results);
    },
  );
}

interface Asking {
  readonly client: MlClient;
  readonly services: Services;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** The question's vector; undefined while the service is away, when words have to do. */
async function meaningOf(
  question: string,
  { client, services, request, reply }: Asking,
): Promise<Embedded | undefined> {
  const { organizationId } = accessOf(request);
  await withTenant(services.database, organizationId, (tx) =>
    spend(tx, reply, 1, limitOf(services)),
  );
  try {
    return await embed(client, [question], {
      requestId: request.id,
      traceparent: traceparentOf(request.headers),
      signal: goneSignal(reply),
    });
  } catch (error) {
    // What matters is why there is no vector, not that this failed on top.
    await giveBack(services.database, organizationId, 1).catch((err) =>
      request.log.error({ err }, 'a prediction stays counted that was not given'),
    );
    if (!(error instanceof MlUnavailableError)) throw error;
    const level = error.code === 'ml_misconfigured' ? 'error' : 'warn';
    request.log[level]({ code: error.code, cause: rootCause(error) }, 'searching by words alone');
    return undefined;
  }
}

function toDocument<Row extends { readonly createdAt: Date }>({ createdAt, ...rest }: Row) {
  return { ...rest, createdAt: createdAt.toISOString() };
}

/** Another organization's document is not there either: its existence is nobody's business. */
function notFound(): ProblemError {
  return new ProblemError(404, 'document_not_found', 'There is no such document');
}
