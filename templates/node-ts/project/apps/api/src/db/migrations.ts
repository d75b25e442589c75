import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import type { Database, Db, Migrator } from './database.ts';
import { sqlState } from './errors.ts';
import { grantAccess } from './grants.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TABLE = '__drizzle_migrations';
// No such table, or the role that serves requests has not been let in yet.
const NOT_MIGRATED = ['42P01', '42501'];

/** A folder of migrations, and the table in which the database remembers which of them ran. */
export interface MigrationSet {
  readonly folder: string;
  readonly table: string;
}

/**
 * The application's migrations, then those of folders that bring their own (drizzle/ beside their
 * code): with a journal each, what a template update brings never collides with what you wrote.
 */
export function findMigrations(root = ROOT): MigrationSet[] {
  // Modules' last, since they may stand on the others'.
  const brought = ['src/*/drizzle', 'src/modules/*/drizzle'].flatMap((pattern) =>
    globSync(pattern, { cwd: root }).toSorted(),
  );
  return [
    { folder: join(root, 'drizzle'), table: TABLE },
    ...brought.map((path) => ({
      folder: join(root, path),
      table: `${TABLE}_${basename(dirname(path)).replaceAll('-', '_')}`,
    })),
  ];
}

const SETS = findMigrations();

interface Journal {
  readonly entries: readonly { readonly tag: string; readonly when: number }[];
}

/** Applies what is pending; of several processes that start at once, one does the work. */
export async function migrate(
  database: Database,
  sets: readonly MigrationSet[] = SETS,
): Promise<string[]> {
  const applied: string[] = [];
  await database.withMigrationLock(async (migrator) => {
    applied.push(...(await applyPending(migrator, sets)));
    await grantAccess(migrator);
  });
  return applied;
}

/** The names of the migrations that this database has not seen. */
export async function pendingMigrations(
  db: Db,
  sets: readonly MigrationSet[] = SETS,
): Promise<string[]> {
  const pending: string[] = [];
  for (const { folder, table } of sets) {
    const applied = await appliedMigrations(db, table);
    const entries = readJournal(folder).entries.filter((entry) => !applied.has(entry.when));
    pending.push(...entries.map((entry) => entry.tag));
  }
  return pending;
}

async function applyPending(migrator: Migrator, sets: readonly MigrationSet[]): Promise<string[]> {
  const pending = await pendingMigrations(migrator.db, sets);
  const configs = sets.map(({ folder, table }) => ({
    migrationsFolder: folder,
    migrationsTable: table,
  }));
  // Read first: a broken folder must fail before anything is touched.
  for (const config of configs) readMigrationFiles(config);
  if (pending.length > 0) for (const config of configs) await migrator.apply(config);

  // drizzle looks at dates alone: it passes over a migration older than the newest applied one.
  const skipped = await pendingMigrations(migrator.db, sets);
  if (skipped.length > 0) {
    throw new Error(`Older than the last applied migration, so never run: ${skipped.join(', ')}`);
  }
  return pending;
}

async function appliedMigrations(db: Db, table: string): Promise<Set<number>> {
  try {
    const { rows } = await db.execute<{ created_at: string | number }>(
      sql`select created_at from drizzle.${sql.identifier(table)}`,
    );
    return new Set(rows.map((row) => Number(row.created_at)));
  } catch (error) {
    if (NOT_MIGRATED.includes(sqlState(error) ?? '')) return new Set();
    throw error;
  }
}

function readJournal(folder: string): Journal {
  return JSON.parse(readFileSync(`${folder}/meta/_journal.json`, 'utf8')) as Journal;
}
