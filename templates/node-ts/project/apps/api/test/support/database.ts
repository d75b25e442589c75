import { randomBytes } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { inject } from 'vitest';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { embedded } from '../../src/db/embedded.ts';

/** A migrated database of the caller's own; closing it removes it. */
export async function copyDatabase(): Promise<Database> {
  const template = inject('template');
  if ('dump' in template) {
    return embedded(await PGlite.create({ loadDataDir: await openAsBlob(template.dump) }));
  }
  const { url, drop } = await createPostgres(template.server, `template ${template.name}`);
  const database = await openDatabase({ DATABASE_URL: url, DATABASE_POOL_MAX: 4 });
  return { ...database, close: () => database.close().then(drop) };
}

/** An empty database on the same kind of server as `copyDatabase`. */
export async function emptyDatabase(): Promise<Database> {
  const template = inject('template');
  if ('dump' in template) return embedded(await PGlite.create());
  const { url, drop } = await createPostgres(template.server);
  const database = await openDatabase({ DATABASE_URL: url, DATABASE_POOL_MAX: 4 });
  return { ...database, close: () => database.close().then(drop) };
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
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}
