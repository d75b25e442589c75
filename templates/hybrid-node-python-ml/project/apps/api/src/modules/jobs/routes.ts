import { createHash } from 'node:crypto';
import {
  Job,
  JobPage,
  JobQuery,
  type JobSummary,
  NewPredictions,
  OrganizationParams,
} from '@app/contracts';
import { z } from 'zod';
import {
  type Access,
  accessOf,
  BY_SESSION_OR_API_KEY,
  may,
  ORGANIZATION_PATH,
  organizationPath,
  senderOf,
} from '../../auth/access.ts';
import { withTenant } from '../../db/tenant.ts';
import type { App } from '../../http/app.ts';
import { problems } from '../../http/openapi.ts';
import { ProblemError } from '../../http/problems.ts';
import type { Services } from '../../module.ts';
import { traceIdOf, traceparentOf } from '../ml/trace.ts';
import { giveBackJobs, spend } from '../ml-usage/meter.ts';
import { limitOf } from '../ml-usage/settings.ts';
import { cancelJob, enqueue, findJob, listJobs } from './repository.ts';
import type { JobRow } from './table.ts';

const PATH = `${ORGANIZATION_PATH}/jobs`;

const Params = OrganizationParams.extend({ id: z.uuid() });
const Headers = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 visible ASCII characters')
    .describe('Your own name for the job: sent again with the same body, it makes no second one'),
});
const base = { tags: ['jobs'], security: BY_SESSION_OR_API_KEY };

/** What this process's worker should know at once; others find out by themselves. */
export interface Notify {
  enqueued(): void;
  cancelled(id: string): void;
}

export function registerRoutes(app: App, services: Services, notify: Notify): void {
  registerCreate(app, services, notify);
  registerList(app, services);
  registerRead(app, services);
  registerCancel(app, services, notify);
}

function registerCreate(app: App, services: Services, notify: Notify): void {
  const { database, requires } = services;
  const limit = limitOf(services);
  app.post(
    PATH,
    {
      preParsing: requires('job:create'),
      schema: {
        ...base,
        operationId: 'createJob',
        summary: 'Predict for each instance in the background',
        params: OrganizationParams,
        headers: Headers,
        body: NewPredictions,
        response: { 202: Job, ...problems(400, 401, 403, 404, 413, 415, 422, 429) },
      },
    },
    async (request, reply) => {
      const access = accessOf(request);
      const fingerprint = createHash('sha256').update(JSON.stringify(request.body)).digest('hex');
      const traceparent = traceparentOf(request.headers);
      const row = await withTenant(database, access.organizationId, (tx) =>
        enqueue(
          tx,
          {
            createdBy: access.userId,
            idempotencyKey: nameOf(request.headers['idempotency-key'], access),
            fingerprint,
            requestId: request.id,
            traceparent,
            input: request.body,
          },
          () => spend(tx, reply, request.body.instances.length, limit),
        ),
      );
      if (row.fingerprint !== fingerprint) throw keyReused();
      request.log.info({ jobId: row.id, traceId: traceIdOf(traceparent) }, 'job accepted');
      notify.enqueued();
      const location = `${organizationPath(request.params)}/jobs/${row.id}`;
      return reply.code(202).header('location', location).send(toJob(row));
    },
  );
}

function registerList(app: App, { database, requires }: Services): void {
  app.get(
    PATH,
    {
      preParsing: requires('job:read'),
      schema: {
        ...base,
        operationId: 'listJobs',
        summary: "List the organization's jobs, newest first",
        params: OrganizationParams,
        querystring: JobQuery,
        response: { 200: JobPage, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const { items, nextCursor } = await withTenant(
        database,
        accessOf(request).organizationId,
        (tx) => listJobs(tx, request.query),
      );
      return reply.code(200).send({ items: items.map(toSummary), nextCursor });
    },
  );
}

function registerRead(app: App, { database, requires }: Services): void {
  app.get(
    `${PATH}/:id`,
    {
      preParsing: requires('job:read'),
      schema: {
        ...base,
        operationId: 'readJob',
        summary: 'Read a job, with its result once it has one',
        params: Params,
        response: { 200: Job, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const row = await withTenant(database, accessOf(request).organizationId, (tx) =>
        findJob(tx, request.params.id),
      );
      if (!row) throw notFound();
      return reply.code(200).send(toJob(row));
    },
  );
}

function registerCancel(app: App, { database, requires }: Services, notify: Notify): void {
  app.delete(
    `${PATH}/:id`,
    {
      preParsing: requires('job:cancel'),
      schema: {
        ...base,
        operationId: 'cancelJob',
        summary: 'Cancel a job that has not ended, even while it runs',
        params: Params,
        response: { 200: Job, ...problems(400, 401, 403, 404, 409, 429) },
      },
    },
    async (request, reply) => {
      const access = accessOf(request);
      const { id } = request.params;
      const row = await withTenant(database, access.organizationId, async (tx) => {
        const job = await findJob(tx, id);
        if (!job) throw notFound();
        refuseOthers(job, access);
        const cancelled = await cancelJob(tx, id);
        if (cancelled) await giveBackJobs(tx, [id]);
        return cancelled ?? findJob(tx, id);
      });
      if (row?.status !== 'cancelled') throw hasEnded();
      notify.cancelled(id);
      return reply.code(200).send(toJob(row));
    },
  );
}

/** Programs name jobs apart from the person whom their API key was shown to. */
function nameOf(idempotencyKey: string, access: Access): string {
  return access.apiKey ? `${senderOf(access)} ${idempotencyKey}` : idempotencyKey;
}

function refuseOthers(job: JobRow, access: Access): void {
  if (job.createdBy === access.userId || may(access, 'job:cancelOfOthers')) return;
  throw new ProblemError(403, 'not_your_job', 'Only an admin may cancel the jobs of others');
}

function toJob(row: JobRow): Job {
  return { ...toSummary(row), result: row.result };
}

function toSummary(row: JobRow): JobSummary {
  const { id, status, createdBy, attempts, problem } = row;
  return {
    id,
    status,
    createdBy,
    attempts,
    createdAt: row.createdAt.toISOString(),
    startedAt: row.startedAt?.toISOString() ?? null,
    finishedAt: row.finishedAt?.toISOString() ?? null,
    problem,
  };
}

/** Another organization's job is not there either: its existence is nobody's business. */
function notFound(): ProblemError {
  return new ProblemError(404, 'job_not_found', 'There is no such job');
}

function hasEnded(): ProblemError {
  return new ProblemError(409, 'job_ended', 'The job has ended: there is nothing to cancel');
}

function keyReused(): ProblemError {
  return new ProblemError(
    422,
    'idempotency_key_reused',
    'This Idempotency-Key belongs to a job with another body',
  );
}
