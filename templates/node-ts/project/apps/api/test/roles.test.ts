import { randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '../src/config.ts';
import type { Database } from '../src/db/database.ts';
import { createPGlite, embedded } from '../src/db/embedded.ts';
import { isUniqueViolation, sqlState } from '../src/db/errors.ts';
import { extensions } from '../src/db/extensions.ts';
import { migrate } from '../src/db/migrations.ts';
import { openDatabase } from '../src/db/open.ts';
import { withTenant } from '../src/db/tenant.ts';
import { listDeadLetters, retryDeadLetters } from '../src/queue/dead-letters.ts';
import { defineJob, enqueue, HopelessJobError, handle } from '../src/queue/job.ts';
import { askWith, makeKey } from './support/api-keys.ts';
import { signUpOwner, startApp } from './support/app.ts';
import { createPostgres } from './support/database.ts';
import { createWorker } from './support/jobs.ts';
import { migrateWithNotes, noteModule } from './support/notes.ts';

const template = inject('template');
const PATH = '/api/v1/organizations/served/test-notes';
const PATIENCE = { timeout: 60_000 };
const PERMISSION_DENIED = '42501';

// The embedded database is newer than many a server: since 16 who creates a role may not become it.
it('a role that may create roles migrates, and becomes a tenant', async () => {
  const client = await createPGlite();
  // Some only a superuser may add.
  for (const name of Object.keys(extensions)) await client.exec(`create extension ${name}`);
  await client.exec(`create role app login createrole;
    alter schema public owner to app;
    grant create on database postgres to app;
    set session authorization app`);
  const database = embedded(client);
  await migrate(database);
  const seen = await withTenant(database, 'anybody', (tx) =>
    tx.execute(sql`select from idempotency_keys`),
  );
  expect(seen.rows).toEqual([]);
  await database.close();
});

// The embedded database has one user, who may do everything.
describe.runIf('server' in template)('a role that only serves requests', () => {
  const role = `test_api_${randomBytes(6).toString('hex')}`;
  let owner: Database;
  let database: Database;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    if (!('server' in template)) return;
    const created = await createPostgres(template.server);
    drop = created.drop;
    owner = await openDatabase(loadConfig({ DATABASE_URL: created.url }));
    await owner.db.execute(sql.raw(`create role ${role} login password 'secret'`));
    const url = new URL(created.url);
    url.username = role;
    url.password = 'secret';
    database = await openDatabase(
      loadConfig({ DATABASE_URL: url.href, MIGRATION_DATABASE_URL: created.url }),
    );
    await migrateWithNotes(database);
  });
  afterAll(async () => {
    await database.close();
    // Only when its last connection is gone, since another role may not end it.
    const left = sql`select pid from pg_stat_activity where usename = ${role}`;
    await vi.waitUntil(async () => (await owner.db.execute(left)).rows.length === 0, PATIENCE);
    await owner.close();
    await drop();
    if (!('server' in template)) return;
    const server = await openDatabase(loadConfig({ DATABASE_URL: template.server }));
    await server.db.execute(sql.raw(`drop role ${role}`));
    await server.close();
  });

  it('serves everything', async () => {
    const test = await startApp({
      database: { ...database, close: async () => undefined },
      extraModules: [noteModule],
    });
    const { client, path } = await signUpOwner(test.app, 'served');
    expect((await client.post(PATH, { name: 'Apollo' })).statusCode).toBe(201);
    const key = await makeKey(client, path);
    expect((await askWith(test.app, key, PATH)).json()).toMatchObject({ items: [{}] });
    expect((await client.get(PATH)).json()).toMatchObject({ items: [{}] });
    expect((await test.app.inject('/readyz')).statusCode).toBe(200);
    await test.close();
  });

  it('enqueues jobs, as itself and for tenants, and runs them', async () => {
    const job = defineJob({ name: 'test.job', payload: z.object({}), schedule: '0 3 * * *' });
    const runs: (string | null)[] = [];
    const { worker, lines } = createWorker(
      database,
      handle(job, async (_payload, { organizationId }) => {
        runs.push(organizationId);
        if (runs.length === 1) throw new HopelessJobError('not this one');
      }),
    );
    await worker.start();
    await withTenant(database, 'served', (tx) => enqueue(tx, job, {}));
    await expect.poll(() => listDeadLetters(database), PATIENCE).toHaveLength(1);
    await enqueue(database.db, job, {});
    expect(await retryDeadLetters(database)).toBe(1);
    await expect
      .poll(() => runs.toSorted(), PATIENCE)
      .toEqual(['served', 'served', null].toSorted());
    await worker.stop(1_000);
    expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it.each([
    'create table more (id int)',
    'alter table test_notes no force row level security',
    'drop policy test_notes_of_tenant on test_notes',
    'delete from drizzle.__drizzle_migrations',
    "insert into drizzle.__drizzle_migrations (id, hash) values (99, 'x')",
    "update drizzle.__drizzle_migrations set hash = 'x'",
    'truncate users',
    'drop table queue.queue',
  ])('may not %s', async (statement) => {
    const error = await database.db.execute(sql.raw(statement)).catch((caught: unknown) => caught);
    expect([statement, sqlState(error)]).toEqual([statement, PERMISSION_DENIED]);
  });

  it('sees no rows of organizations outside of withTenant', async () => {
    const { rows } = await database.db.execute(sql`select * from test_notes`);
    expect(rows).toEqual([]);
  });

  it('is let in again by each run of the migrations, which changes nothing else', async () => {
    await owner.db.execute(sql.raw(`revoke select on users from ${role}`));
    expect(await migrate(database)).toEqual([]);
    const insert = sql`insert into users (id, name, email) values ('x', 'x', 'x')`;
    await database.db.execute(insert);
    const again = await database.db.execute(insert).catch((caught: unknown) => caught);
    expect(isUniqueViolation(again)).toBe(true);
  });
});
