import { FileLink, FilePage, FileQuery, OrganizationParams, StoredFile } from '@app/contracts';
import { z } from 'zod';
import { accessOf, BY_SESSION_OR_API_KEY, ORGANIZATION_PATH } from '../../auth/access.ts';
import { withTenant } from '../../db/tenant.ts';
import type { App } from '../../http/app.ts';
import { problems } from '../../http/openapi.ts';
import { ProblemError } from '../../http/problems.ts';
import type { Services } from '../../module.ts';
import { enqueue } from '../../queue/job.ts';
import { dispositionOf, sendFile } from './answer.ts';
import { removeLeftovers } from './jobs.ts';
import { LINK_PATH, LinkQuery, Links } from './links.ts';
import { deleteFile, type FileRow, findFile, listFiles } from './repository.ts';
import type { FileSettings } from './settings.ts';
import type { FileStorage } from './storage.ts';

/** What the routes have in common. */
export interface Files {
  readonly settings: FileSettings;
  /** A problem where there is none. */
  storage(): FileStorage;
}

export const PATH = `${ORGANIZATION_PATH}/files`;

const Params = OrganizationParams.extend({ id: z.uuid() });
export const base = { tags: ['files'], security: BY_SESSION_OR_API_KEY };
const Bytes = {
  description: 'The bytes of the file, with its own type',
  content: { '*/*': { schema: z.any().meta({ type: 'string', format: 'binary' }) } },
};
const BYTES = { 200: Bytes, 206: Bytes };

export function registerList(app: App, { database, requires }: Services, files: Files): void {
  app.get(
    PATH,
    {
      preParsing: requires('file:read'),
      schema: {
        ...base,
        operationId: 'listFiles',
        summary: 'List files, newest first',
        params: OrganizationParams,
        querystring: FileQuery,
        response: { 200: FilePage, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      files.storage();
      const { items, nextCursor } = await withTenant(
        database,
        accessOf(request).organizationId,
        (tx) => listFiles(tx, request.query),
      );
      return reply.code(200).send({ items: items.map(toFile), nextCursor });
    },
  );
}

export function registerRead(app: App, { database, requires }: Services, files: Files): void {
  app.get(
    `${PATH}/:id`,
    {
      preParsing: requires('file:read'),
      schema: {
        ...base,
        operationId: 'getFile',
        summary: 'What is known of a file',
        params: Params,
        response: { 200: StoredFile, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      files.storage();
      const { organizationId } = accessOf(request);
      const { id } = request.params;
      const row = await withTenant(database, organizationId, (tx) => findFile(tx, id));
      if (!row) throw notFound();
      return reply.code(200).send(toFile(row));
    },
  );
}

export function registerContent(app: App, { database, requires }: Services, files: Files): void {
  app.get(
    `${PATH}/:id/content`,
    {
      preParsing: requires('file:read'),
      schema: {
        ...base,
        operationId: 'getFileContent',
        summary: 'Download a file, or a range of its bytes',
        params: Params,
        response: { ...BYTES, ...problems(400, 401, 403, 404, 412, 416, 429) },
      },
    },
    async (request, reply) => {
      const storage = files.storage();
      const { organizationId } = accessOf(request);
      const { id } = request.params;
      const row = await withTenant(database, organizationId, (tx) => findFile(tx, id));
      if (!row) throw notFound();
      return sendFile(request, reply, storage, row);
    },
  );
}

export function registerLink(
  app: App,
  { database, requires, config }: Services,
  files: Files,
): void {
  const links = new Links(config.AUTH_SECRET, config.PUBLIC_URL);
  app.post(
    `${PATH}/:id/links`,
    {
      preParsing: requires('file:read'),
      schema: {
        ...base,
        operationId: 'linkFile',
        summary: 'Make an address at which anybody can read a file for a short while',
        params: Params,
        response: { 201: FileLink, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const storage = files.storage();
      const { organizationId: organization } = accessOf(request);
      const { id } = request.params;
      const row = await withTenant(database, organization, (tx) => findFile(tx, id));
      if (!row) throw notFound();
      const seconds = files.settings.FILES_LINK_SECONDS;
      const expires = Math.floor(Date.now() / 1_000) + seconds;
      const labels = { type: row.type, disposition: dispositionOf(row.name) };
      const url =
        (await storage.link?.(id, labels, seconds)) ??
        links.urlOf({ organization, file: id, expires });
      return reply.code(201).send({ url, expiresAt: new Date(expires * 1_000).toISOString() });
    },
  );
  app.get(
    LINK_PATH,
    {
      schema: {
        tags: ['files'],
        security: [{ fileLink: [] }],
        operationId: 'followFileLink',
        summary: 'Download a file by an address that was made for it',
        querystring: LinkQuery,
        response: { ...BYTES, ...problems(400, 401, 403, 404, 412, 416, 429) },
      },
    },
    async (request, reply) => {
      const storage = files.storage();
      links.check(request.query);
      const { organization, file } = request.query;
      const row = await withTenant(database, organization, (tx) => findFile(tx, file));
      if (!row) throw notFound();
      // Pages of the front end may show it, as they may what comes from a bucket.
      reply.header('cross-origin-resource-policy', 'cross-origin');
      return sendFile(request, reply, storage, row);
    },
  );
}

export function registerDelete(app: App, { database, requires }: Services, files: Files): void {
  app.delete(
    `${PATH}/:id`,
    {
      preParsing: requires('file:delete'),
      schema: {
        ...base,
        operationId: 'deleteFile',
        summary: 'Delete a file',
        params: Params,
        response: { 204: z.undefined(), ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      files.storage();
      const { id } = request.params;
      await withTenant(database, accessOf(request).organizationId, async (tx) => {
        if (!(await deleteFile(tx, id))) throw notFound();
        await enqueue(tx, removeLeftovers, {});
      });
      return reply.code(204).send();
    },
  );
}

export function toFile(row: FileRow): StoredFile {
  const { id, name, type, size, uploadedBy } = row;
  const sha256 = row.sha256 ?? '';
  return { id, name, type, size, sha256, uploadedBy, createdAt: row.createdAt.toISOString() };
}

/** Another organization's file is not there either: its existence is nobody's business. */
function notFound(): ProblemError {
  return new ProblemError(404, 'file_not_found', 'There is no such file');
}
