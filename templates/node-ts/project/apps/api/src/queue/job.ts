import { sql } from 'drizzle-orm';
import type { FastifyBaseLogger } from 'fastify';
import type { z } from 'zod';
import type { Db, Transaction } from '../db/database.ts';
import { traces } from '../traces/traces.ts';

export interface JobOptions<Payload extends z.ZodType> {
  /** Unique in the application, such as `tasks.reminder`. Jobs that wait in the database know it. */
  readonly name: string;
  readonly payload: Payload;
  /** How often to try again after a failure; then the job is a dead letter. 10 unless given. */
  readonly retries?: number;
  /** How long to wait before the first retry: doubled each time, with jitter. 2 unless given. */
  readonly retryAfterSeconds?: number;
  /** How long to wait at most. An hour unless given. */
  readonly longestPauseSeconds?: number;
  /** A run that takes longer counts as failed. A quarter of an hour unless given. */
  readonly timeoutSeconds?: number;
  /** How long a job that is done stays in the database. A day unless given. */
  readonly keepSeconds?: number;
  /** Of those that are enqueued for one group, each process runs one at a time. */
  readonly onePerGroup?: boolean;
  /** When it runs by itself, as cron writes it, in UTC: `0 3 * * *`. Its payload is then `{}`. */
  readonly schedule?: string;
}

/** A kind of work that is done later: at least once, also when processes are killed meanwhile. */
export interface Job<Payload extends z.ZodType = z.ZodType> extends JobOptions<Payload> {
  /** What the queue is told, in pg-boss's words. */
  readonly settings: QueueSettings;
}

export type QueueSettings = ReturnType<typeof settingsOf>;

/** What a handler is told of the job beside its payload. */
export interface JobRun {
  readonly id: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Whether it becomes a dead letter if this attempt fails. */
  readonly isLast: boolean;
  /** Of the transaction in which the job was enqueued; null outside of `withTenant`. */
  readonly organizationId: string | null;
  /** Aborted when the time is over or the process stops. */
  readonly signal: AbortSignal;
  readonly log: FastifyBaseLogger;
}

/** A job and what does it. */
export interface JobHandler {
  readonly job: Job;
  run(payload: unknown, run: JobRun): Promise<void>;
}

export const DEAD_LETTERS = 'dead-letters';
/** A worker that says nothing for so long is gone, and its jobs are tried again. */
const HEARTBEAT_SECONDS = 30;
const YEAR_SECONDS = 31_536_000;

export function defineJob<const Payload extends z.ZodType>(
  options: JobOptions<Payload>,
): Job<Payload> {
  return { ...options, settings: settingsOf(options) };
}

function settingsOf(options: JobOptions<z.ZodType>) {
  return {
    retryLimit: options.retries ?? 10,
    retryDelay: options.retryAfterSeconds ?? 2,
    retryBackoff: true,
    retryDelayMax: options.longestPauseSeconds ?? 3_600,
    expireInSeconds: options.timeoutSeconds ?? 900,
    deleteAfterSeconds: options.keepSeconds ?? 86_400,
    // pg-boss deletes what has waited for so long, however good the reason.
    retentionSeconds: YEAR_SECONDS,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    deadLetter: DEAD_LETTERS,
    notify: true,
  };
}

/** It may run more than once, so what it does twice must be as if it had done it once. */
export function handle<Payload extends z.ZodType>(
  job: Job<Payload>,
  work: (payload: z.output<Payload>, run: JobRun) => Promise<void>,
): JobHandler {
  return { job, run: async (payload, run) => work(parse(job, payload), run) };
}

/** Thrown by a handler: trying again would not help, so the job becomes a dead letter at once. */
export class HopelessJobError extends Error {
  override readonly name = 'HopelessJobError';
}

function parse<Payload extends z.ZodType>(job: Job<Payload>, payload: unknown): z.output<Payload> {
  const parsed = job.payload.safeParse(payload);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues.map((issue) => issue.path.join('.') || 'the whole').join(', ');
  throw new HopelessJobError(`The payload does not have the expected form: ${where}`);
}

/**
 * Adds a job that is there when `tx` commits, and only then; within `withTenant` it belongs to the
 * organization. It gives the job's id. `group` is for jobs with `onePerGroup`.
 */
export async function enqueue<Payload extends z.ZodType>(
  tx: Db | Transaction,
  job: Job<Payload>,
  payload: z.input<Payload>,
  { runAt, group }: { readonly runAt?: Date; readonly group?: string } = {},
): Promise<string> {
  const json = JSON.stringify(job.payload.parse(payload));
  const trace = traces()?.here();
  const settings = JSON.stringify({ policy: 'standard', ...job.settings, group, trace });
  const due = runAt?.toISOString() ?? null;
  const { rows } = await tx.execute<{ id: string }>(
    sql`select enqueue_job(${job.name}, ${json}::jsonb, ${due}::timestamptz, ${settings}::jsonb) as id`,
  );
  return rows[0]?.id ?? '';
}
