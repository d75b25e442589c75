import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { loadConfig } from '../src/config.ts';
import type { Db } from '../src/db/database.ts';
import { isUnavailable } from '../src/db/errors.ts';
import { migrate } from '../src/db/migrations.ts';
import { openDatabase } from '../src/db/open.ts';
import { copyPostgres } from './support/database.ts';

const LIMITS = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];

async function limitsOf(db: Pick<Db, 'execute'>): Promise<unknown[]> {
  const read = (name: string) => db.execute(sql`select current_setting(${name}) as value`);
  const results = await Promise.all(LIMITS.map(read));
  return results.map(({ rows }) => rows[0]?.value);
}

// The embedded database has neither connections nor limits.
describe.runIf('server' in inject('template'))('on PostgreSQL', () => {
  let url: string;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    ({ url, drop } = await copyPostgres());
  });
  afterAll(() => drop());

  it('each connection of the pool has the limits of the configuration', async () => {
    const database = await openDatabase(
      loadConfig({
        DATABASE_URL: url,
        DATABASE_STATEMENT_TIMEOUT_MS: '11000',
        DATABASE_LOCK_TIMEOUT_MS: '12000',
        DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS: '13000',
      }),
    );
    expect(await limitsOf(database.db)).toEqual(['11s', '12s', '13s']);
    await database.close();
  });

  it('who gets no connection is told so after a while', async () => {
    const database = await openDatabase(
      loadConfig({ DATABASE_URL: url, DATABASE_POOL_MAX: '1', DATABASE_CONNECT_TIMEOUT_MS: '200' }),
    );
    await database.db.transaction(async () => {
      const second = database.db.execute(sql`select 1`).catch((error: unknown) => error);
      expect(isUnavailable(await second)).toBe(true);
    });
    await database.close();
  });

  it('migrations wait for tables for a while, and are cut off by no limit of their role', async () => {
    const database = await openDatabase(loadConfig({ DATABASE_URL: url }));
    const name = new URL(url).pathname.slice(1);
    await database.db.execute(sql.raw(`alter database ${name} set statement_timeout = 200`));
    const seen: unknown[] = [];
    const work = () =>
      database.withMigrationLock(async ({ db }) => {
        seen.push((await limitsOf(db)).slice(0, 2));
        await sleep(1_000);
      });
    // The second waits for the first.
    await Promise.all([work(), work()]);
    expect(seen).toEqual([
      ['0', '10s'],
      ['0', '10s'],
    ]);
    await database.close();
  });
});

it('migrations do not wait for ever for a server that says nothing', async () => {
  const silent = createServer((socket) => socket.on('error', () => undefined));
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  const { port } = silent.address() as AddressInfo;
  const database = await openDatabase(
    loadConfig({
      DATABASE_URL: `postgresql://nobody@127.0.0.1:${port}/none`,
      DATABASE_CONNECT_TIMEOUT_MS: '200',
    }),
  );
  const migrated = migrate(database).catch((error: unknown) => error);
  expect(isUnavailable(await migrated)).toBe(true);
  await database.close();
  silent.close();
});
