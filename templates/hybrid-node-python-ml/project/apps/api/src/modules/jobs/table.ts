import type { JobProblem, NewPredictions, Predictions } from '@app/contracts';
import { sql } from 'drizzle-orm';
import { index, integer, jsonb, pgPolicy, text, unique, uuid } from 'drizzle-orm/pg-core';
import { users } from '../../auth/schema.ts';
import { tenantTable } from '../../auth/tenant-table.ts';
import { moment, momentOrNull } from '../../db/moment.ts';

/** The worker serves all organizations: `asWorker` says that it is one. */
const ofWorker = sql`current_setting('app.job_worker', true) = 'on'`;

/** One prediction to make. A job that runs belongs to whoever holds its lease. */
export const jobs = tenantTable(
  'ml_jobs',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    createdBy: text('created_by')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    idempotencyKey: text('idempotency_key').notNull(),
    fingerprint: text('fingerprint').notNull(),
    requestId: text('request_id').notNull(),
    traceparent: text('traceparent').notNull(),
    status: text('status', { enum: ['queued', 'running', 'succeeded', 'failed', 'cancelled'] })
      .notNull()
      .default('queued'),
    input: jsonb('input').$type<NewPredictions>().notNull(),
    result: jsonb('result').$type<Predictions>(),
    problem: jsonb('problem').$type<JobProblem>(),
    attempts: integer('attempts').notNull().default(0),
    runAt: moment('run_at').defaultNow(),
    leaseToken: uuid('lease_token'),
    leaseUntil: momentOrNull('lease_until'),
    createdAt: moment('created_at').defaultNow(),
    startedAt: momentOrNull('started_at'),
    finishedAt: momentOrNull('finished_at'),
  },
  (table) => [
    unique('ml_jobs_once').on(table.organizationId, table.createdBy, table.idempotencyKey),
    index('ml_jobs_by_age').on(table.organizationId, table.createdAt, table.id),
    index('ml_jobs_due').on(table.runAt).where(sql`status = 'queued'`),
    index('ml_jobs_leased').on(table.leaseUntil).where(sql`status = 'running'`),
    index('ml_jobs_finished').on(table.finishedAt),
    pgPolicy('ml_jobs_of_worker', { using: ofWorker, withCheck: ofWorker }),
  ],
);

export type JobRow = typeof jobs.$inferSelect;
