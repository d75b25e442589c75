import { fileURLToPath } from 'node:url';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Config } from '../config.ts';

/** The query builder. PGlite's has the same interface, so one type serves both. */
export type Db = NodePgDatabase;

/** Inside `db.transaction(...)`. */
export type Transaction = Parameters<Parameters<Db['transaction']>[0]>[0];

export interface Database {
  readonly db: Db;
  /** Runs `work` while no other process migrates the same database. */
  withMigrationLock(work: (db: Db) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_DATA_DIR = fileURLToPath(new URL('../../../../.data/postgres', import.meta.url));

/** PostgreSQL where DATABASE_URL says so, else PGlite: PostgreSQL inside this process. */
export async function openDatabase(
  config: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL_MAX' | 'DATA_DIR'>,
): Promise<Database> {
  if (config.DATABASE_URL) {
    const { openPostgres } = await import('./postgres.ts');
    return openPostgres(config.DATABASE_URL, config.DATABASE_POOL_MAX);
  }
  // Imported here, so that a server with a real database never loads the embedded one.
  const { openEmbedded } = await import('./embedded.ts');
  return openEmbedded(config.DATA_DIR ?? DEFAULT_DATA_DIR);
}
