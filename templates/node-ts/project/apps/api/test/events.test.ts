import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Database } from '../src/db/database.ts';
import { withTenant } from '../src/db/tenant.ts';
import { defineModule } from '../src/module.ts';
import { listDeadLetters } from '../src/queue/dead-letters.ts';
import { defineEvent, on, Subscribers } from '../src/queue/event.ts';
import { defineJob, handle, type JobRun } from '../src/queue/job.ts';
import type { JobWorker } from '../src/queue/worker.ts';
import { startApp } from './support/app.ts';
import { copyDatabase } from './support/database.ts';
import { createWorker } from './support/jobs.ts';

const PATIENCE = { timeout: 60_000 };
const arrived = defineEvent({ name: 'guest.arrived', payload: z.object({ name: z.string() }) });

let database: Database;
let workers: JobWorker[];
let heard: { by: string; name: string; run: JobRun }[];
let failures: number;

beforeAll(async () => {
  database = await copyDatabase();
});
beforeEach(async () => {
  await database.db.execute(sql`delete from queue.job`);
  workers = [];
  heard = [];
  failures = 0;
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop(1_000)));
});
afterAll(() => database.close());

const greeter = on(arrived, { name: 'test.greet' }, async ({ name }, run) => {
  heard.push({ by: 'greeter', name, run });
});
/** Fails as often as `failures` says. */
const cook = on(
  arrived,
  { name: 'test.cook', retries: 1, retryAfterSeconds: 1 },
  async ({ name }, run) => {
    heard.push({ by: 'cook', name, run });
    if (failures-- > 0) throw new Error('the stove is cold');
  },
);
const all = [greeter, cook];
const subscribers = new Subscribers();
subscribers.add(all);
const { publish } = subscribers;

async function start(): Promise<void> {
  const { worker } = createWorker(database, ...all);
  workers.push(worker);
  await worker.start();
}

const told = () => heard.map(({ by, name }) => `${by} ${name}`).toSorted();

describe('an event', () => {
  it('is told to each subscriber when its transaction commits, and only then', async () => {
    await start();
    await database.db
      .transaction(async (tx) => {
        await publish(tx, arrived, { name: 'Nobody' });
        throw new Error('changed my mind');
      })
      .catch(() => undefined);
    await database.db.transaction((tx) => publish(tx, arrived, { name: 'Ada' }));
    await expect.poll(told, PATIENCE).toEqual(['cook Ada', 'greeter Ada']);
    expect(heard.map(({ run }) => run.organizationId)).toEqual([null, null]);
  });

  it('belongs to the organization of its transaction', async () => {
    await withTenant(database, 'red', (tx) => publish(tx, arrived, { name: 'Ada' }));
    await start();
    await expect.poll(told, PATIENCE).toEqual(['cook Ada', 'greeter Ada']);
    expect(heard.map(({ run }) => run.organizationId)).toEqual(['red', 'red']);
  });

  it('is told again to who has failed, and to nobody else, until it is a dead letter', async () => {
    failures = 2;
    await start();
    await publish(database.db, arrived, { name: 'Ada' });
    await expect.poll(() => listDeadLetters(database), PATIENCE).toHaveLength(1);
    expect(await listDeadLetters(database)).toMatchObject([{ name: 'test.cook' }]);
    expect(told()).toEqual(['cook Ada', 'cook Ada', 'greeter Ada']);
  });

  it('of which nobody hears is no job, and has the form that it should', async () => {
    const left = defineEvent({ name: 'guest.left', payload: arrived.payload });
    await publish(database.db, left, { name: 'Ada' });
    expect((await database.db.execute(sql`select from queue.job`)).rows).toEqual([]);
    // biome-ignore lint/suspicious/noExplicitAny: what the types would not let through
    await expect(publish(database.db, left, { name: 1 } as any)).rejects.toThrow();
  });
});

it('modules hear of each other without knowing each other', async () => {
  const names = Promise.withResolvers<string>();
  const door = defineModule({
    name: 'door',
    register(app, services) {
      app.post('/ring', async () => {
        await services.publish(services.database.db, arrived, { name: 'Ada' });
        return {};
      });
    },
  });
  const kitchen = defineModule({
    name: 'kitchen',
    register: () => undefined,
    jobs: () => [on(arrived, { name: 'kitchen.cook' }, async ({ name }) => names.resolve(name))],
  });
  const test = await startApp({ extraModules: [door, kitchen] });
  await test.app.jobs.start();
  expect((await test.app.inject({ method: 'POST', url: '/ring' })).statusCode).toBe(200);
  expect(await names.promise).toBe('Ada');
  await test.close();
});

it('two handlers may not have one name', () => {
  const other = handle(defineJob({ name: 'test.cook', payload: z.object({}) }), async () => {});
  expect(() => createWorker(database, cook, other)).toThrow('test.cook');
});
