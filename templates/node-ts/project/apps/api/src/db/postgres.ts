import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import type { Database } from './database.ts';

// Any number does, as long as every process of this application uses the same one.
const MIGRATION_LOCK = 7_215_048_331;

export function openPostgres(url: string, max: number): Database {
  const pool = new pg.Pool({ connectionString: url, max, connectionTimeoutMillis: 5_000 });
  // A connection that breaks while idle is replaced; without a listener it would end the process.
  pool.on('error', () => undefined);

  return {
    db: drizzle(pool),
    async withMigrationLock(work) {
      const client = await pool.connect();
      try {
        await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
        await work(drizzle(client));
      } finally {
        await client
          .query('select pg_advisory_unlock($1)', [MIGRATION_LOCK])
          .catch(() => undefined);
        client.release();
      }
    },
    close: () => pool.end(),
  };
}
