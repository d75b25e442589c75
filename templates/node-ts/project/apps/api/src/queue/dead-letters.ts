import { sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import { createBoss } from './boss.ts';
import { DEAD_LETTERS } from './job.ts';

/** A job that has failed for good. */
export interface DeadLetter extends Record<string, unknown> {
  readonly id: string;
  readonly name: string;
  readonly organizationId: string | null;
  readonly failedAt: string;
  readonly reason: string;
}

/** The oldest first. */
export async function listDeadLetters(database: Database, limit = 1_000): Promise<DeadLetter[]> {
  const { rows } = await database.db.execute<DeadLetter>(sql`
    select id, source_name as name, data->>'organizationId' as "organizationId",
      to_char(created_on at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as "failedAt",
      coalesce(source_output->>'message', source_output::text, '') as reason
    from queue.job where name = ${DEAD_LETTERS} and state = 'created'
    order by created_on, id limit ${limit}`);
  return rows;
}

/** Lets them be tried again, as if they were new: those with these ids, or all. It says how many there were. */
export async function retryDeadLetters(
  database: Database,
  ids?: readonly string[],
): Promise<number> {
  const options = { name: 'operator', listen: false, works: false };
  const boss = await createBoss(database.driver, options);
  try {
    await boss.start();
    return await boss.redrive(DEAD_LETTERS, { ...(ids && { ids: [...ids] }) });
  } finally {
    await boss.stop({ graceful: false });
  }
}
