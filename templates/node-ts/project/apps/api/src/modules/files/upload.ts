import { NewFileQuery, OrganizationParams, StoredFile } from '@app/contracts';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { accessOf, organizationNotFound, organizationPath } from '../../auth/access.ts';
import { isForeignKeyViolation } from '../../db/errors.ts';
import { withTenant } from '../../db/tenant.ts';
import type { App } from '../../http/app.ts';
import { giveTime } from '../../http/connections.ts';
import { problems } from '../../http/openapi.ts';
import { ProblemError } from '../../http/problems.ts';
import { IdempotencyHeaders, once } from '../../idempotency/once.ts';
import type { Services } from '../../module.ts';
import { Content, TYPES } from './content.ts';
import { discard } from './leftovers.ts';
import { beginFile, finishFile } from './repository.ts';
import { base, type Files, PATH, toFile } from './routes.ts';
import type { FileSettings } from './settings.ts';

/** Takes the bytes as they are: the body is the file. */
export function registerUpload(app: App, services: Services, files: Files): void {
  const { config, database, requires } = services;
  const { settings } = files;
  // Nobody reads a body before the handler does.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.post(
    PATH,
    {
      preParsing: requires('file:create'),
      schema: {
        ...base,
        operationId: 'uploadFile',
        summary: 'Upload a file: its bytes are the body',
        consumes: TYPES,
        params: OrganizationParams,
        querystring: NewFileQuery,
        headers: IdempotencyHeaders,
        body: z.any().meta({ type: 'string', format: 'binary' }),
        response: {
          201: StoredFile,
          ...problems(400, 401, 403, 404, 408, 409, 411, 413, 415, 422, 429),
        },
      },
    },
    async (request, reply) => {
      const storage = files.storage();
      const { organizationId, userId } = accessOf(request);
      const type = typeOf(request, settings.FILES_TYPES);
      const size = sizeOf(request, settings.FILES_MAX_BYTES);
      const asked = { name: request.query.name, type, size, uploadedBy: userId };
      // No transaction is open while bytes flow: one keeps their place, and another makes them a file.
      const id = await withTenant(database, organizationId, (tx) =>
        beginFile(tx, asked, settings.FILES_QUOTA_BYTES),
      ).catch(refused);
      if (id === undefined) throw quotaExceeded();

      giveTime(app, reply.raw, timeFor(size, config.REQUEST_TIMEOUT_MS, settings));
      const giveUp = () => discard(database, storage, { fileId: id, tenant: organizationId });
      let file: StoredFile;
      try {
        const content = new Content(type, size);
        const signal = AbortSignal.timeout(settings.FILES_UPLOAD_TIMEOUT_MS);
        await storage.write(id, content.of(request.raw), size, signal);
        const sha256 = content.sha256();
        // What `once` compares, where a key was used before.
        request.body = { ...asked, sha256 };
        file = await withTenant(database, organizationId, (tx) =>
          once(tx, request, async () => {
            const row = await finishFile(tx, id, sha256);
            if (!row) throw organizationNotFound();
            return toFile(row);
          }),
        ).catch(refused);
      } catch (error) {
        // What cannot be tidied up now is found by the job of jobs.ts.
        await giveUp().catch((err) => request.log.warn({ err }, 'an upload was left behind'));
        throw error;
      }
      if (file.id !== id) await giveUp();
      const location = `${organizationPath(request.params)}/files/${file.id}`;
      return reply.code(201).header('location', location).send(file);
    },
  );
}

/** The declared type, which the content is then held to. */
function typeOf({ headers }: FastifyRequest, taken: readonly string[]): string {
  const [type = '', ...parameters] = (headers['content-type'] ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  // Text is taken as UTF-8 alone.
  const charset = parameters.find((part) => part.startsWith('charset='));
  if (taken.includes(type) && (!charset || /^charset="?utf-8"?$/.test(charset))) return type;
  const detail = `Declare the type of the file, as one of: ${taken.join(', ')}`;
  throw new ProblemError(415, 'file_type_not_taken', detail);
}

/** Known before the first byte: it has to find room, and storages want to be told. */
function sizeOf({ headers }: FastifyRequest, most: number): number {
  const length = headers['content-length'];
  if (length === undefined || headers['transfer-encoding'] !== undefined) {
    throw new ProblemError(411, 'length_required', 'Say with Content-Length how long the file is');
  }
  const size = Number(length);
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new ProblemError(400, 'file_empty', 'The file is empty');
  }
  if (size > most) {
    throw new ProblemError(413, 'file_too_large', `A file may have ${most} bytes at most`);
  }
  return size;
}

/** As long as for any request, and more for more bytes: lines are slow, but nobody holds a place with a few. */
function timeFor(size: number, forAny: number, settings: FileSettings): number {
  const { FILES_UPLOAD_BYTES_PER_SECOND: rate, FILES_UPLOAD_TIMEOUT_MS: most } = settings;
  return forAny === 0 ? most : Math.min(most, forAny + Math.ceil((1_000 * size) / rate));
}

function quotaExceeded(): ProblemError {
  const detail = 'The organization has no room for this file: delete others first';
  return new ProblemError(409, 'file_quota_exceeded', detail);
}

/** Deleted since `requires` found it. */
function refused(error: unknown): never {
  throw isForeignKeyViolation(error) ? organizationNotFound() : error;
}
