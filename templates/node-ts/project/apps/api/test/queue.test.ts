import { createRequire } from 'node:module';
import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { organizations } from '../src/auth/schema.ts';
import type { Database } from '../src/db/database.ts';
import { sqlState } from '../src/db/errors.ts';
import { migrate } from '../src/db/migrations.ts';
import { withTenant } from '../src/db/tenant.ts';
import { createBoss } from '../src/queue/boss.ts';
import { listDeadLetters, retryDeadLetters } from '../src/queue/dead-letters.ts';
import { defineJob, enqueue, HopelessJobError, handle, type JobRun } from '../src/queue/job.ts';
import type { JobWorker } from '../src/queue/worker.ts';
import { copyDatabase, emptyDatabase } from './support/database.ts';
import { createWorker, type LogLine } from './support/jobs.ts';
import { notes } from './support/notes.ts';

const PATIENCE = { timeout: 60_000 };
const greet = defineJob({
  name: 'test.greet',
  payload: z.object({ name: z.string() }),
  retries: 1,
  retryAfterSeconds: 1,
});

let database: Database;
let workers: JobWorker[];
let greeted: { name: string; run: JobRun }[];
let answers: (() => Promise<void>)[];

beforeAll(async () => {
  database = await copyDatabase();
});
beforeEach(async () => {
  await database.db.execute(sql`delete from queue.job`);
  workers = [];
  greeted = [];
  answers = [];
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop(1_000)));
});
afterAll(() => database.close());

/** Greets; the first runs do what `answers` says. */
const handler = handle(greet, async ({ name }, run) => {
  greeted.push({ name, run });
  await answers.shift()?.();
});

async function start(...handlers: Parameters<typeof createWorker>[1][]): Promise<LogLine[]> {
  const { worker, lines } = createWorker(database, ...handlers);
  workers.push(worker);
  await worker.start();
  return lines;
}

const names = () => greeted.map(({ name }) => name);
const fails = async () => {
  throw new Error('not today');
};

describe('a job', () => {
  it('is there when its transaction commits, and only then', async () => {
    await start(handler);
    await database.db
      .transaction(async (tx) => {
        await enqueue(tx, greet, { name: 'undone' });
        throw new Error('changed my mind');
      })
      .catch(() => undefined);
    await database.db.transaction((tx) => enqueue(tx, greet, { name: 'done' }));
    await expect.poll(names, PATIENCE).toEqual(['done']);
    expect(greeted[0]?.run).toMatchObject({ attempt: 1, organizationId: null });
  });

  it('belongs to the organization of its transaction, with what is written beside it', async () => {
    await database.db.insert(organizations).values({ id: 'red', name: 'red', slug: 'red' });
    const add = (name: string) =>
      withTenant(database, 'red', async (tx) => {
        await enqueue(tx, greet, { name });
        await tx.insert(notes).values({ name: 'only once' });
      });
    await add('first');
    await expect(add('second')).rejects.toThrow();
    await start(handler);
    await expect.poll(names, PATIENCE).toEqual(['first']);
    expect(greeted[0]?.run.organizationId).toBe('red');
  });

  it('waits for its time, and for a worker that knows it', async () => {
    await enqueue(database.db, greet, { name: 'later' }, { runAt: new Date(Date.now() + 3_000) });
    await enqueue(database.db, greet, { name: 'now' });
    await start(handler);
    await expect.poll(names, PATIENCE).toEqual(['now', 'later']);
  });

  it('that has waited with others is done as soon as one of them has ended', async () => {
    const all = Array.from({ length: 60 }, (_, index) => `${index}`);
    await database.db.transaction(async (tx) => {
      for (const name of all) await enqueue(tx, greet, { name });
    });
    await start(handler);
    // Two at once: if each waited for the next look, it would take 150 seconds.
    await expect.poll(names, PATIENCE).toHaveLength(all.length);
    expect(names().toSorted()).toEqual(all.toSorted());
  });

  it('of a group runs alone in its process, beside those of other groups', async () => {
    const alone = defineJob({ ...greet, name: 'test.alone', onePerGroup: true });
    const running: string[] = [];
    const seen: string[][] = [];
    const gate = Promise.withResolvers<void>();
    const work = handle(alone, async ({ name }) => {
      running.push(name);
      seen.push([...running]);
      if (name === 'a') await gate.promise;
      running.splice(running.indexOf(name), 1);
    });
    await enqueue(database.db, alone, { name: 'a' }, { group: 'one' });
    await start(work);
    await expect.poll(() => running, PATIENCE).toEqual(['a']);
    for (const name of ['b', 'c']) await enqueue(database.db, alone, { name }, { group: 'one' });
    for (const name of ['d', 'e']) await enqueue(database.db, alone, { name }, { group: 'two' });
    await expect.poll(() => seen, PATIENCE).toEqual([['a'], ['a', 'd'], ['a', 'e']]);
    gate.resolve();
    await expect.poll(() => seen.slice(3), PATIENCE).toEqual([['b'], ['c']]);
  });

  it('is not taken with a payload of another form', async () => {
    // biome-ignore lint/suspicious/noExplicitAny: what the types would not let through
    await expect(enqueue(database.db, greet, { name: 1 } as any)).rejects.toThrow();
  });

  it('is not to be seen or touched by tenants', async () => {
    await enqueue(database.db, greet, { name: 'secret' });
    for (const statement of ['select * from queue.job', 'delete from queue.queue']) {
      const work = withTenant(database, 'red', (tx) => tx.execute(sql.raw(statement)));
      expect(sqlState(await work.catch((error: unknown) => error))).toBe('42501');
    }
  });
});

describe('a job that fails', () => {
  it('is tried again, then kept as a dead letter that an operator can let run again', async () => {
    answers = [fails, fails];
    const lines = await start(handler);
    await enqueue(database.db, greet, { name: 'unlucky' });
    await expect.poll(names, PATIENCE).toEqual(['unlucky', 'unlucky']);
    await expect.poll(() => listDeadLetters(database), PATIENCE).toHaveLength(1);
    const [letter] = await listDeadLetters(database);
    expect(letter).toMatchObject({ name: greet.name, organizationId: null, reason: 'not today' });
    expect(lines.filter(({ msg }) => msg === 'job failed')).toMatchObject([
      { job: greet.name, attempt: 1, level: 'warn' },
      { job: greet.name, attempt: 2 },
    ]);

    expect(await retryDeadLetters(database, [crypto.randomUUID()])).toBe(0);
    expect(await retryDeadLetters(database, [letter?.id ?? ''])).toBe(1);
    await expect.poll(() => names().length, PATIENCE).toBe(3);
    expect(greeted[2]?.run.attempt).toBe(1);
    expect(await listDeadLetters(database)).toEqual([]);
  });

  it('for good is not tried again', async () => {
    answers = [
      async () => {
        throw new HopelessJobError('nobody lives there');
      },
    ];
    await start(handler);
    await enqueue(database.db, greet, { name: 'unknown' });
    await expect.poll(() => listDeadLetters(database), PATIENCE).toHaveLength(1);
    expect(names()).toEqual(['unknown']);
  });

  it('since another release has enqueued it fails for good, and does not tell its payload', async () => {
    const before = defineJob({ ...greet, payload: z.object({ title: z.string() }) });
    await enqueue(database.db, before, { title: 'secret' });
    const lines = await start(handler);
    await expect.poll(() => listDeadLetters(database), PATIENCE).toHaveLength(1);
    expect(JSON.stringify([await listDeadLetters(database), lines])).not.toContain('secret');
    expect(names()).toEqual([]);
  });
});

describe('a worker', () => {
  it('hears the error of a connection that pg-boss has given up, which would end the process', async () => {
    const postgres = { connectionString: 'postgresql://127.0.0.1:1/nowhere' };
    await createBoss({ postgres }, { name: 'test', listen: true, works: false });
    const { resolve } = createRequire(import.meta.url);
    const { Client } = createRequire(resolve('pg-boss'))('pg') as typeof import('pg');
    const connection = new Client();
    connection.removeAllListeners();
    expect(() => connection.emit('error', new Error('terminating connection'))).not.toThrow();
  });

  it('waits for migrations, and looks again', async () => {
    const empty = await emptyDatabase();
    const { worker, lines } = createWorker(empty, handler);
    const started = worker.start();
    await expect
      .poll(() => lines.map(({ msg }) => msg), PATIENCE)
      .toContain('jobs wait for migrations');
    await migrate(empty);
    await started;
    await enqueue(empty.db, greet, { name: 'at last' });
    await expect.poll(names, PATIENCE).toEqual(['at last']);
    await worker.stop(1_000);
    await empty.close();
  });

  it('that stops lets a job end, and gives back what takes longer than the grace', async () => {
    const ended = Promise.withResolvers<void>();
    answers = [() => ended.promise, async () => undefined];
    await start(handler);
    await enqueue(database.db, greet, { name: 'slow' });
    await expect.poll(names, PATIENCE).toEqual(['slow']);
    await workers[0]?.stop(1_000);
    expect(greeted[0]?.run.signal.aborted).toBe(true);
    ended.resolve();
    await start(handler);
    await expect.poll(names, PATIENCE).toEqual(['slow', 'slow']);
  });

  it('runs what is scheduled once, however many there are', async () => {
    const daily = defineJob({ name: 'test.tick', payload: z.object({}), schedule: '* * * * *' });
    const minute = () => Math.floor(Date.now() / 60_000);
    const first = minute();
    let ticks = 0;
    const tick = handle(daily, async () => {
      ticks += 1;
    });
    await Promise.all([start(tick), start(tick), start(tick)]);
    await expect.poll(() => ticks, PATIENCE).toBeGreaterThan(0);
    // Every worker has looked again meanwhile.
    await expect.poll(passes, PATIENCE).toBeGreaterThan(2);
    // One for each minute that has begun since, though what was due in one may have run in the next.
    expect(ticks).toBeLessThanOrEqual(1 + minute() - first);
  });

  it('forgets a schedule that the code no longer has', async () => {
    const daily = defineJob({ name: 'test.tick', payload: z.object({}), schedule: '0 3 * * *' });
    await start(handle(daily, async () => undefined));
    const schedules = sql`select name from queue.schedule`;
    expect((await database.db.execute(schedules)).rows).toEqual([{ name: daily.name }]);
    await start(handler);
    expect((await database.db.execute(schedules)).rows).toEqual([]);
  });
});

const seen = new Set<string>();

/** How often any worker has looked for what is due. */
async function passes(): Promise<number> {
  const { rows } = await database.db.execute<{ at: string }>(
    sql`select cron_on::text as at from queue.version`,
  );
  seen.add(rows[0]?.at ?? '');
  return seen.size;
}
