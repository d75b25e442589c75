import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';

const WINDOW_MINUTES = 15;

/**
 * Counts in PostgreSQL, so that all processes count together and a restart forgets nothing. Unknown
 * accounts are counted like known ones. A window ends 15 minutes after its first attempt, however
 * many follow.
 */
export interface Attempts {
  /** Counts one more; the seconds until the next is possible, 0 if this one is. */
  take(action: string, account: string, max: number): Promise<number>;
  forget(action: string, account: string): Promise<void>;
}

export function createAttempts({ db }: Database): Attempts {
  return {
    async take(action, account, max) {
      const key = keyOf(action, account);
      const { rows } = await db.execute<{ count: number; seconds: number }>(sql`
        with swept as (
          delete from auth_attempts where key in (
            select key from auth_attempts where ends_at <= now() and key <> ${key}
            limit 10 for update skip locked)
        )
        insert into auth_attempts as a (key, count, ends_at)
        values (${key}, 1, now() + make_interval(mins => ${WINDOW_MINUTES}))
        on conflict (key) do update set
          count = case when a.ends_at <= now() then 1 else a.count + 1 end,
          ends_at = case when a.ends_at <= now() then excluded.ends_at else a.ends_at end
        returning count, ceil(extract(epoch from ends_at - now()))::int as seconds`);
      const [row] = rows;
      if (!row) throw new Error('PostgreSQL returned no row for an upsert');
      return row.count > max ? row.seconds : 0;
    },
    async forget(action, account) {
      await db.execute(sql`delete from auth_attempts where key = ${keyOf(action, account)}`);
    },
  };
}

function keyOf(action: string, account: string): string {
  const text = JSON.stringify([action, account.trim().toLowerCase()]);
  return createHash('sha256').update(text).digest('base64url');
}
