import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import type { Database, Db } from './database.ts';
import { sqlState } from './errors.ts';

const FOLDER = fileURLToPath(new URL('../../drizzle', import.meta.url));
const UNDEFINED_TABLE = '42P01';

interface Journal {
  readonly entries: readonly { readonly tag: string; readonly when: number }[];
}

/** Applies what is pending; of several processes that start at once, one does the work. */
export async function migrate(database: Database, folder = FOLDER): Promise<string[]> {
  const before = await pendingMigrations(database.db, folder);
  if (before.length === 0) return [];
  await database.withMigrationLock((db) => applyTo(db, folder));

  // drizzle looks at dates alone: it passes over a migration older than the newest applied one.
  const skipped = await pendingMigrations(database.db, folder);
  if (skipped.length > 0) {
    throw new Error(`Older than the last applied migration, so never run: ${skipped.join(', ')}`);
  }
  return before;
}

/** The names of the migrations that this database has not seen. */
export async function pendingMigrations(db: Db, folder = FOLDER): Promise<string[]> {
  const applied = await appliedMigrations(db);
  return readJournal(folder)
    .entries.filter((entry) => !applied.has(entry.when))
    .map((entry) => entry.tag);
}

async function applyTo(db: Db, folder: string): Promise<void> {
  // Read first: a broken folder must fail before anything is touched.
  readMigrationFiles({ migrationsFolder: folder });
  await applyMigrations(db, { migrationsFolder: folder });
}

async function appliedMigrations(db: Db): Promise<Set<number>> {
  try {
    const { rows } = await db.execute<{ created_at: string | number }>(
      sql`select created_at from drizzle.__drizzle_migrations`,
    );
    return new Set(rows.map((row) => Number(row.created_at)));
  } catch (error) {
    if (sqlState(error) === UNDEFINED_TABLE) return new Set();
    throw error;
  }
}

function readJournal(folder: string): Journal {
  return JSON.parse(readFileSync(`${folder}/meta/_journal.json`, 'utf8')) as Journal;
}
