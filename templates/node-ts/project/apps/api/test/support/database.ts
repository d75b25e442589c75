import { randomBytes } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PGlite } from '@electric-sql/pglite';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { inject } from 'vitest';
import journal from '../../drizzle/meta/_journal.json' with { type: 'json' };
import { loadConfig } from '../../src/config.ts';
import type { Database } from '../../src/db/database.ts';
import { createPGlite, embedded } from '../../src/db/embedded.ts';
import { sqlState } from '../../src/db/errors.ts';
import { openDatabase } from '../../src/db/open.ts';
import { openPostgres } from '../../src/db/postgres.ts';

/** A migrated database of the caller's own; closing it removes it. */
export async function copyDatabase(): Promise<Database> {
  const template = inject('template');
  if ('dump' in template) return embedded(await loadDump(template.dump));
  const { url, drop } = await copyPostgres();
  const database = await openDatabase(loadConfig({ DATABASE_URL: url, DATABASE_POOL_MAX: '4' }));
  return { ...database, close: () => database.close().then(drop) };
}

/** Where the tests run on PostgreSQL, the address of a migrated database. */
export async function copyPostgres() {
  const template = inject('template');
  if (!('server' in template)) throw new Error('TEST_DATABASE_URL is not set');
  return createPostgres(template.server, `template ${template.name}`);
}

/** Without a directory, the copy lives in memory. */
export async function loadDump(dump: string, directory?: string): Promise<PGlite> {
  const loadDataDir = await openAsBlob(dump);
  return createPGlite({ loadDataDir, ...(directory && { dataDir: directory }) });
}

/** A database of the caller's own with nothing in it. */
export async function emptyDatabase(): Promise<Database> {
  const database = await copyDatabase();
  for (const schema of ['drizzle', 'queue', 'public']) {
    await database.db.execute(sql.raw(`drop schema ${schema} cascade`));
  }
  await database.db.execute(sql`create schema public`);
  return database;
}

/** All migrations of the application, oldest first. */
export function migrationNames(): string[] {
  return journal.entries.map((entry) => entry.tag);
}

/** For tests that never ask it anything: it would connect to nothing. */
export function unreachableDatabase(): Database {
  return openPostgres('postgresql://nobody@127.0.0.1:1/none', loadConfig({}));
}

export async function createPostgres(server: string, options = '') {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client(server);
  await admin.connect();
  await admin.query(`create database ${name} ${options}`);
  const url = new URL(server);
  url.pathname = name;
  return {
    url: url.href,
    async drop() {
      await dropWhenFree(admin, name);
      await admin.end();
    },
  };
}

const NOT_ALLOWED = '42501';

/** PostgreSQL may be cleaning up in it just then, which ends by itself and which only a superuser may end. */
async function dropWhenFree(admin: pg.Client, name: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await admin.query(`drop database ${name} with (force)`);
      return;
    } catch (error) {
      if (sqlState(error) !== NOT_ALLOWED || Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}
