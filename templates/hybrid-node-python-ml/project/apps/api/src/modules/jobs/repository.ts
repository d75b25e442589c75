import type { JobQuery } from '@app/contracts';
import { and, eq, inArray, sql } from 'drizzle-orm';
import type { Transaction } from '../../db/database.ts';
import { thisMoment } from '../../db/moment.ts';
import { newestFirst, olderThan, pageOf } from '../../http/cursor.ts';
import { type JobRow, jobs } from './table.ts';

type NewJob = Pick<
  typeof jobs.$inferInsert,
  'createdBy' | 'idempotencyKey' | 'fingerprint' | 'requestId' | 'traceparent' | 'input'
>;

// No query here names the organization: withTenant has, and PostgreSQL keeps to it.

/** Inserts the job, or gives the one that its owner has made with the same key before; `count` is for new ones. */
export async function enqueue(
  tx: Transaction,
  job: NewJob,
  count: () => Promise<void>,
): Promise<JobRow> {
  for (;;) {
    const [inserted] = await tx
      .insert(jobs)
      .values({ ...job, runAt: thisMoment })
      .onConflictDoNothing()
      .returning();
    if (inserted) {
      await count();
      return inserted;
    }
    const { createdBy, idempotencyKey } = job;
    const [existing] = await tx
      .select()
      .from(jobs)
      .where(and(eq(jobs.createdBy, createdBy), eq(jobs.idempotencyKey, idempotencyKey)));
    // Between the two statements the retention may have removed it.
    if (existing) return existing;
  }
}

export async function findJob(tx: Transaction, id: string): Promise<JobRow | undefined> {
  const [row] = await tx.select().from(jobs).where(eq(jobs.id, id));
  return row;
}

export async function listJobs(tx: Transaction, query: JobQuery) {
  const rows = await tx
    .select()
    .from(jobs)
    .where(and(query.status && eq(jobs.status, query.status), olderThan(jobs, query.cursor)))
    .orderBy(...newestFirst(jobs))
    .limit(query.limit + 1);
  return pageOf(rows, query.limit);
}

/** Takes the job away from whoever runs it; undefined means that it had ended before. */
export async function cancelJob(tx: Transaction, id: string): Promise<JobRow | undefined> {
  const [row] = await tx
    .update(jobs)
    .set({ status: 'cancelled', finishedAt: sql`now()`, leaseToken: null, leaseUntil: null })
    .where(and(eq(jobs.id, id), inArray(jobs.status, ['queued', 'running'])))
    .returning();
  return row;
}
