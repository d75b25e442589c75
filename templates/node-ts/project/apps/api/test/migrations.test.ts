import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import config from '../drizzle.config.ts';
import { loadConfig } from '../src/config.ts';
import type { Database } from '../src/db/database.ts';
import { findMigrations, migrate, pendingMigrations } from '../src/db/migrations.ts';
import { openDatabase } from '../src/db/open.ts';
import { createPostgres, emptyDatabase, migrationNames } from './support/database.ts';
import { ServerProcess, WAIT_MS } from './support/process.ts';

const root = mkdtempSync(join(tmpdir(), 'migrations-'));
const folder = join(root, 'drizzle');
const sets = findMigrations(root);
let database: Database;

beforeAll(async () => {
  cpSync(new URL('../drizzle', import.meta.url), folder, { recursive: true });
  database = await emptyDatabase();
});
afterAll(async () => {
  await database.close();
  rmSync(root, { recursive: true });
});

/** Adds a migration to the copied folder, dated so many milliseconds after the last one. */
function addMigration(tag: string, text: string, after: number): void {
  const path = join(folder, 'meta/_journal.json');
  const journal = JSON.parse(readFileSync(path, 'utf8'));
  const entry = journal.entries.at(-1);
  journal.entries.push({ ...entry, idx: entry.idx + 1, tag, when: entry.when + after });
  writeFileSync(path, JSON.stringify(journal));
  writeFileSync(join(folder, `${tag}.sql`), text);
}

describe('migrations', () => {
  it('are all pending in an empty database, and run once when they are asked for several times at once', async () => {
    expect(await pendingMigrations(database.db, sets)).toEqual(migrationNames());
    await Promise.all([1, 2, 3].map(() => migrate(database, sets)));
    expect(await pendingMigrations(database.db, sets)).toEqual([]);
    expect(await migrate(database, sets)).toEqual([]);
  });

  it('leave nothing behind when one of them fails', async () => {
    addMigration(
      '9998_broken',
      'create table half (id int);\n--> statement-breakpoint\nnonsense',
      1,
    );
    await expect(migrate(database, sets)).rejects.toThrow();
    expect(await pendingMigrations(database.db, sets)).toEqual(['9998_broken']);
    writeFileSync(join(folder, '9998_broken.sql'), 'create table half (id int)');
    expect(await migrate(database, sets)).toEqual(['9998_broken']);
  });

  it('of a module run beside the others, however old they are', async () => {
    const brought = join(root, 'src/modules/some-module/drizzle');
    mkdirSync(join(brought, 'meta'), { recursive: true });
    const entry = { idx: 0, version: '7', when: 1, tag: '0000_brought', breakpoints: true };
    writeFileSync(
      join(brought, 'meta/_journal.json'),
      JSON.stringify({ version: '7', dialect: 'postgresql', entries: [entry] }),
    );
    writeFileSync(join(brought, '0000_brought.sql'), 'create table brought (id int)');
    expect(await migrate(database, findMigrations(root))).toEqual(['0000_brought']);
    expect(await migrate(database, findMigrations(root))).toEqual([]);
  });

  it('touch nothing where a file is missing, be it the last', async () => {
    const path = join(root, 'src/modules/some-module/drizzle/meta/_journal.json');
    const journal = readFileSync(path, 'utf8');
    const [brought] = JSON.parse(journal).entries;
    const entries = [brought, { ...brought, idx: 1, when: 2, tag: '0001_missing' }];
    writeFileSync(path, JSON.stringify({ ...JSON.parse(journal), entries }));
    addMigration('9998_whole', 'create table whole (id int)', 1);
    const found = findMigrations(root);
    await expect(migrate(database, found)).rejects.toThrow('0001_missing');
    expect(await pendingMigrations(database.db, found)).toEqual(['9998_whole', '0001_missing']);
    writeFileSync(path, journal);
    expect(await migrate(database, found)).toEqual(['9998_whole']);
  });

  it('say so when one is older than the last that ran, which drizzle would pass over', async () => {
    addMigration('9999_late', 'select 1', -100);
    await expect(migrate(database, sets)).rejects.toThrow('9999_late');
  });
});

// The embedded database lets no second process in.
describe.runIf('server' in inject('template'))('a process that migrates', () => {
  it('waits for another one, and then goes on', async () => {
    const template = inject('template');
    if (!('server' in template)) return;
    const { url, drop } = await createPostgres(template.server);
    onTestFinished(drop);
    const first = await openDatabase(loadConfig({ DATABASE_URL: url }));
    onTestFinished(() => first.close());
    const second = new ServerProcess('src/commands/migrate.ts', { DATABASE_URL: url });
    onTestFinished(() => second.kill());
    const held = sql`select from pg_locks l join pg_database d on d.oid = l.database
      where d.datname = current_database() and l.locktype = 'advisory' and not l.granted`;
    await first.withMigrationLock(async ({ db }) => {
      const waits = async () => (await db.execute(held)).rows.length > 0 && 'it waits';
      const seen = async () => (second.ended ? `it said ${second.output}` : waits());
      expect(await vi.waitUntil(seen, { timeout: WAIT_MS })).toBe('it waits');
    });
    expect(await second.exit(), second.output).toBe(0);
    expect(second.output).toMatch(/^Applied: /m);
  });
});

describe('the schema', () => {
  it('is what the migrations make: if not, run `npm run db:generate`', async () => {
    const latest = readdirSync(join(folder, 'meta'))
      .filter((name) => /^\d+_/.test(name))
      .toSorted()
      .at(-1);
    const migrated = JSON.parse(readFileSync(join(folder, 'meta', latest ?? ''), 'utf8'));
    const declared = generateDrizzleJson(await importSchemas(), migrated.id);
    expect(await generateMigration(migrated, declared)).toEqual([]);
  });
});

async function importSchemas(): Promise<Record<string, unknown>> {
  const api = new URL('../', import.meta.url);
  const schemas = globSync([config.schema].flat() as string[], { cwd: fileURLToPath(api) });
  expect(schemas).toContain(join('src', 'auth', 'schema.ts'));
  return Object.assign(
    {},
    ...(await Promise.all(schemas.map((path) => import(new URL(path, api).href)))),
  );
}
