import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { loadConfig } from '../../src/config.ts';
import { createPGlite, embedded } from '../../src/db/embedded.ts';
import { openDatabase } from '../../src/db/open.ts';
import { migrateWithNotes } from './notes.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A migrated database to copy: a PGlite dump, or a PostgreSQL template. */
    template: { dump: string } | { server: string; name: string };
  }
}

/** Migrates one database for all test files: copying it is much cheaper than migrating again. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = process.env.TEST_DATABASE_URL;
  return server ? preparePostgres(project, server) : prepareEmbedded(project);
}

async function prepareEmbedded(project: TestProject) {
  const directory = mkdtempSync(join(tmpdir(), 'api-test-'));
  const dump = join(directory, 'template.tar');
  const client = await createPGlite();
  const database = embedded(client);
  await migrateWithNotes(database);
  writeFileSync(dump, new Uint8Array(await (await client.dumpDataDir('none')).arrayBuffer()));
  await database.close();
  project.provide('template', { dump });
  return async () => rmSync(directory, { recursive: true });
}

async function preparePostgres(project: TestProject, server: string) {
  const name = `test_template_${randomBytes(6).toString('hex')}`;
  await query(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = name;
  const database = await openDatabase(loadConfig({ DATABASE_URL: url.href }));
  await migrateWithNotes(database);
  await database.close();
  project.provide('template', { server, name });
  return () => query(server, `drop database ${name} with (force)`);
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(text);
  await client.end();
}
