import type { JobProblem, Predictions } from '@app/contracts';
import { and, asc, count, eq, gte, isNotNull, lt, lte, min, or, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../db/database.ts';
import { giveBackJobs } from '../ml-usage/meter.ts';
import { type JobRow, jobs } from './table.ts';

// All times are the database's: the clocks of the workers need not agree.

/** A job with the right to run it, until the lease ends or somebody cancels it. */
export type Leased = JobRow & { readonly leaseToken: string };

/** What became of an attempt. */
export type Outcome =
  | { readonly kind: 'succeeded'; readonly result: Predictions }
  | { readonly kind: 'failed'; readonly problem: JobProblem }
  | { readonly kind: 'retried'; readonly delayMs: number }
  /** As if it had never been tried. */
  | { readonly kind: 'postponed'; readonly delayMs: number };

/** Takes the job that has been due longest; jobs that other workers just look at are passed over. */
export function claim(database: Database, leaseMs: number): Promise<Leased | undefined> {
  return asWorker(database, async (tx) => {
    const due = tx
      .select({ id: jobs.id })
      .from(jobs)
      .where(or(and(eq(jobs.status, 'queued'), lte(jobs.runAt, sql`now()`)), isAbandoned()))
      .orderBy(asc(jobs.runAt))
      .limit(1)
      .for('update', { skipLocked: true });
    const [row] = await tx
      .update(jobs)
      .set({
        status: 'running',
        attempts: sql`${jobs.attempts} + 1`,
        leaseToken: sql`gen_random_uuid()`,
        leaseUntil: fromNow(leaseMs),
        startedAt: sql`coalesce(${jobs.startedAt}, now())`,
      })
      .where(eq(jobs.id, due))
      .returning();
    return row as Leased | undefined;
  });
}

/** Gives up jobs whose workers have vanished once too often: they may well be the reason. */
export function failAbandoned(
  database: Database,
  maxAttempts: number,
  problem: JobProblem,
): Promise<number> {
  return asWorker(database, async (tx) => {
    const rows = await tx
      .update(jobs)
      .set({ ...ended('failed'), problem })
      .where(and(isAbandoned(), gte(jobs.attempts, maxAttempts)))
      .returning({ id: jobs.id });
    await giveBackJobs(
      tx,
      rows.map(({ id }) => id),
    );
    return rows.length;
  });
}

/** False when the job is no longer this lease's: cancelled, or taken over by another worker. */
export function extend(database: Database, lease: Leased, leaseMs: number): Promise<boolean> {
  return change(database, lease, { leaseUntil: fromNow(leaseMs) });
}

/** Writes the outcome, unless the job is no longer this lease's: then its result is nobody's. */
export function settle(database: Database, lease: Leased, outcome: Outcome): Promise<boolean> {
  switch (outcome.kind) {
    case 'succeeded':
      return change(database, lease, { ...ended('succeeded'), result: outcome.result });
    case 'failed':
      return fail(database, lease, outcome.problem);
    case 'retried':
      return change(database, lease, queuedAgain(outcome.delayMs));
    case 'postponed':
      return change(database, lease, {
        ...queuedAgain(outcome.delayMs),
        attempts: sql`${jobs.attempts} - 1`,
      });
  }
}

/** Deletes what ended longer ago than that. */
export function cleanUp(database: Database, hours: number): Promise<number> {
  return asWorker(database, async (tx) => {
    const rows = await tx
      .delete(jobs)
      .where(lt(jobs.finishedAt, sql`now() - make_interval(hours => ${hours})`))
      .returning({ id: jobs.id });
    return rows.length;
  });
}

export interface Backlog {
  readonly queued: number;
  readonly running: number;
  readonly oldestQueuedSeconds: number;
}

export function backlog(database: Database): Promise<Backlog> {
  return asWorker(database, async (tx) => {
    const isQueued = sql`${jobs.status} = 'queued'`;
    const [row] = await tx
      .select({
        queued: sql<number>`${count()} filter (where ${isQueued})`.mapWith(Number),
        running: sql<number>`${count()} filter (where not ${isQueued})`.mapWith(Number),
        oldest:
          sql<number>`coalesce(extract(epoch from now() - ${min(jobs.createdAt)} filter (where ${isQueued})), 0)`.mapWith(
            Number,
          ),
      })
      .from(jobs)
      .where(or(isQueued, eq(jobs.status, 'running')));
    const { queued = 0, running = 0, oldest = 0 } = row ?? {};
    return { queued, running, oldestQueuedSeconds: oldest };
  });
}

/** Nobody has to pay for what they were not given. */
function fail(database: Database, lease: Leased, problem: JobProblem): Promise<boolean> {
  return asWorker(database, async (tx) => {
    const changed = await changeIn(tx, lease, { ...ended('failed'), problem });
    if (changed) await giveBackJobs(tx, [lease.id]);
    return changed;
  });
}

type Changes = Parameters<ReturnType<Transaction['update']>['set']>[0];

/** The token fences off workers whose lease another one has taken over meanwhile. */
function change(database: Database, lease: Leased, changes: Changes): Promise<boolean> {
  return asWorker(database, (tx) => changeIn(tx, lease, changes));
}

async function changeIn(tx: Transaction, lease: Leased, changes: Changes): Promise<boolean> {
  const rows = await tx
    .update(jobs)
    .set(changes)
    .where(and(eq(jobs.id, lease.id), eq(jobs.leaseToken, lease.leaseToken)))
    .returning({ id: jobs.id });
  return rows.length > 0;
}

/** In a transaction that sees the jobs of all organizations. */
function asWorker<Result>(
  database: Database,
  work: (tx: Transaction) => Promise<Result>,
): Promise<Result> {
  return database.db.transaction(async (tx) => {
    await tx.execute(sql`select set_config('app.job_worker', 'on', true)`);
    return work(tx);
  });
}

function isAbandoned() {
  return and(
    eq(jobs.status, 'running'),
    isNotNull(jobs.leaseUntil),
    lt(jobs.leaseUntil, sql`now()`),
  );
}

function fromNow(milliseconds: number) {
  return sql`now() + make_interval(secs => ${milliseconds / 1000})`;
}

function ended(status: 'succeeded' | 'failed') {
  return { status, finishedAt: sql`now()`, leaseToken: null, leaseUntil: null };
}

function queuedAgain(delayMs: number) {
  return { status: 'queued' as const, runAt: fromNow(delayMs), leaseToken: null, leaseUntil: null };
}
