import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '@app/contracts';
import { sql } from 'drizzle-orm';
import { afterEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { loadConfig } from '../src/config.ts';
import type { Database } from '../src/db/database.ts';
import { openDatabase } from '../src/db/open.ts';
import { type Metrics, noMetrics } from '../src/metrics/metrics.ts';
import { defineModule } from '../src/module.ts';
import { startApp, type TestApp } from './support/app.ts';
import { createPostgres, unreachableDatabase } from './support/database.ts';

const quick = defineModule({
  name: 'quick',
  register(app) {
    app.get('/quick', async () => ({}));
  },
});

let test: TestApp | undefined;
afterEach(async () => {
  await test?.close();
  test = undefined;
});

async function expectOverloaded({ app, logs }: TestApp, url: string): Promise<void> {
  const response = await app.inject({ url, headers: { origin: 'http://localhost:3000' } });
  expect(response.statusCode, response.body).toBe(503);
  expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
  expect(Problem.parse(response.json())).toMatchObject({ code: 'overloaded' });
  const refused = logs.filter(({ reqId }) => reqId === response.headers['x-request-id']);
  expect(refused.map(({ level, code }) => [level, code])).toContainEqual([40, 'overloaded']);
}

/** What the application says of requests that it turns away; a scrape would ask the database, too. */
function keepReasons() {
  const reasons: unknown[] = [];
  const counter: Metrics['counter'] = ({ name }) => {
    return ({ reason }: Record<string, string>) => {
      if (name === 'http_requests_shed_total') reasons.push(reason);
    };
  };
  return { reasons, metrics: { ...noMetrics, counter } };
}

describe('a process whose event loop is late', () => {
  it('turns requests away, answers probes, and is itself again afterwards', async () => {
    const { reasons, metrics } = keepReasons();
    test = await startApp({
      database: unreachableDatabase(),
      extraModules: [quick],
      env: { OVERLOAD_EVENT_LOOP_DELAY_MS: '100' },
      metrics,
    });
    const { app } = test;
    const status = async () => (await app.inject('/quick')).statusCode;
    expect(await status()).toBe(200);

    const blocked = setInterval(() => Atomics.wait(NEVER_SET, 0, 0, 250), 0);
    onTestFinished(() => clearInterval(blocked));
    await expect.poll(status).toBe(503);
    await expectOverloaded(test, '/quick');
    expect(new Set(reasons)).toEqual(new Set(['event_loop']));
    expect((await app.inject('/livez')).statusCode).toBe(200);
    expect((await app.inject('/readyz')).json()).toMatchObject({ database: 'down' });

    clearInterval(blocked);
    await expect.poll(status).toBe(200);
  });

  it('takes all requests where the limit is off', async () => {
    test = await startApp({
      database: unreachableDatabase(),
      extraModules: [quick],
      env: { OVERLOAD_EVENT_LOOP_DELAY_MS: '0' },
    });
    const blocked = setInterval(() => Atomics.wait(NEVER_SET, 0, 0, 250), 0);
    await sleep(1_500);
    expect((await test.app.inject('/quick')).statusCode).toBe(200);
    clearInterval(blocked);
  });
});

// PGlite has no pool: its statements run inside this process, so the event loop is what is late.
describe('a database whose connections are all taken', () => {
  it.skipIf('dump' in inject('template'))('lets only so many requests wait for one', async () => {
    const template = inject('template');
    if ('dump' in template) return;
    const { url, drop } = await createPostgres(template.server, `template ${template.name}`);
    const database = await openDatabase(
      loadConfig({
        DATABASE_URL: url,
        DATABASE_POOL_MAX: '1',
        DATABASE_CONNECT_TIMEOUT_MS: '0',
        DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS: '0',
      }),
    );
    const { reasons, metrics } = keepReasons();
    test = await startApp({
      database: { ...database, close: () => database.close().then(drop) },
      extraModules: [quick],
      env: { OVERLOAD_DATABASE_WAITING: '2' },
      metrics,
    });
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const ask = async (tx: Pick<Database['db'], 'execute'>) => tx.execute(sql`select 1`);
    const holder = database.db.transaction(async (tx) => {
      await ask(tx);
      begun.resolve();
      await released;
    });
    try {
      await begun.promise;
      expect((await test.app.inject('/quick')).statusCode).toBe(200);
      const waiting = [ask(database.db), ask(database.db)];
      await expect.poll(() => database.waiting()).toBe(2);
      expect(database.inUse()).toBe(1);
      await expectOverloaded(test, '/quick');
      expect(reasons).toEqual(['database']);
      expect((await test.app.inject('/livez')).statusCode).toBe(200);
      // Honest: with no connection to be had, it is not ready.
      expect((await test.app.inject('/readyz')).json()).toMatchObject({ database: 'down' });

      release();
      await Promise.all([holder, ...waiting]);
      expect((await test.app.inject('/quick')).statusCode).toBe(200);
      expect((await test.app.inject('/readyz')).statusCode).toBe(200);
    } finally {
      release();
    }
  });
});

const NEVER_SET = new Int32Array(new SharedArrayBuffer(4));
