import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Predictions } from '@app/contracts';
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Database, Transaction } from '../../src/db/database.ts';
import { withTenant } from '../../src/db/tenant.ts';
import { problem } from '../../src/modules/jobs/judge.ts';
import {
  backlog,
  claim,
  cleanUp,
  extend,
  failAbandoned,
  type Leased,
  settle,
} from '../../src/modules/jobs/queue.ts';
import { cancelJob, findJob } from '../../src/modules/jobs/repository.ts';
import * as table from '../../src/modules/jobs/table.ts';
import { sample } from '../ml/contract.ts';
import { copyDatabase } from '../support/database.ts';
import { addJob, addPeople } from './jobs.ts';

const LEASE_MS = 60_000;
const GONE = problem(500, 'job_abandoned', 'Gone');
const result = { predictions: [sample('Prediction')], model: { name: 'm', version: '1' } };
const succeeded = { kind: 'succeeded', result: result as Predictions } as const;

let database: Database;
beforeAll(async () => {
  database = await copyDatabase();
  await addPeople(database);
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.db.execute(sql`truncate ml_jobs`);
});

async function take(leaseMs = LEASE_MS): Promise<Leased> {
  const lease = await claim(database, leaseMs);
  if (!lease) throw new Error('no job is due');
  return lease;
}

/** As the owner of a table under a forced policy may only as a worker. */
function asWorker(work: (tx: Transaction) => Promise<unknown>): Promise<void> {
  return database.db.transaction(async (tx) => {
    await tx.execute(sql`select set_config('app.job_worker', 'on', true)`);
    await work(tx);
  });
}

const read = (id: string, organization = 'red') =>
  withTenant(database, organization, (tx) => findJob(tx, id));

describe('a job', () => {
  it('is taken by one worker of many, the one that is due longest first', async () => {
    const ids = [];
    for (let made = 0; made < 5; made++) ids.push(await addJob(database));
    const leases = await Promise.all(Array.from({ length: 8 }, () => claim(database, LEASE_MS)));
    const taken = leases.flatMap((lease) => (lease ? [lease.id] : []));
    expect(taken.toSorted()).toEqual(ids.toSorted());
  });

  it('ends once, whatever comes late', async () => {
    const id = await addJob(database);
    const lease = await take();
    expect(await settle(database, lease, succeeded)).toBe(true);
    expect(await settle(database, lease, { kind: 'failed', problem: GONE })).toBe(false);
    expect(await extend(database, lease, LEASE_MS)).toBe(false);
    expect(await read(id)).toMatchObject({ status: 'succeeded', result, attempts: 1 });
  });

  it('goes to another worker after its lease, and the first one is fenced off', async () => {
    const id = await addJob(database);
    const lost = await take(1);
    await sleep(20);
    const taken = await take();
    expect(taken).toMatchObject({ id, attempts: 2 });
    expect(await extend(database, lost, LEASE_MS)).toBe(false);
    expect(await settle(database, lost, succeeded)).toBe(false);
    expect(await read(id)).toMatchObject({ status: 'running', result: null });
    expect(await settle(database, taken, succeeded)).toBe(true);
  });

  it('stays with its worker as long as the lease is extended', async () => {
    await addJob(database);
    const lease = await take(200);
    expect(await extend(database, lease, LEASE_MS)).toBe(true);
    await sleep(250);
    expect(await claim(database, LEASE_MS)).toBeUndefined();
  });

  it('waits its time after a failure, and costs no attempt when it was postponed', async () => {
    const id = await addJob(database);
    await settle(database, await take(), { kind: 'retried', delayMs: 60_000 });
    expect(await claim(database, LEASE_MS)).toBeUndefined();
    expect(await read(id)).toMatchObject({ status: 'queued', attempts: 1, leaseToken: null });
    await database.db.execute(sql`truncate ml_jobs`);

    const other = await addJob(database);
    await settle(database, await take(), { kind: 'postponed', delayMs: 0 });
    expect(await read(other)).toMatchObject({ status: 'queued', attempts: 0 });
    expect((await take()).id).toBe(other);
  });

  it('whose workers keep vanishing fails, for it may well be the reason', async () => {
    const id = await addJob(database);
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(await failAbandoned(database, 3, GONE)).toBe(0);
      await take(1);
      await sleep(20);
    }
    expect(await failAbandoned(database, 3, GONE)).toBe(1);
    expect(await claim(database, LEASE_MS)).toBeUndefined();
    expect(await read(id)).toMatchObject({ status: 'failed', problem: GONE, attempts: 3 });
  });

  it('that is cancelled is taken from its worker', async () => {
    const id = await addJob(database);
    const lease = await take();
    await withTenant(database, 'red', (tx) => cancelJob(tx, id));
    expect(await extend(database, lease, LEASE_MS)).toBe(false);
    expect(await settle(database, lease, succeeded)).toBe(false);
    expect(await read(id)).toMatchObject({ status: 'cancelled', result: null });
  });

  it('is deleted when it ended long ago', async () => {
    const id = await addJob(database);
    await settle(database, await take(), succeeded);
    await addJob(database);
    expect(await cleanUp(database, 1)).toBe(0);
    await asWorker((tx) =>
      tx.execute(sql`update ml_jobs set finished_at = finished_at - interval '2 hours'`),
    );
    expect(await cleanUp(database, 1)).toBe(1);
    expect(await read(id)).toBeUndefined();
  });

  it('that somebody looks at holds up nobody', async (context) => {
    // An embedded database has one connection, so nobody else can look.
    if ('dump' in inject('template')) context.skip();
    const [first, second] = [await addJob(database), await addJob(database)];
    await asWorker(async (tx) => {
      await tx.execute(sql`select from ml_jobs where id = ${first} for update`);
      expect((await take()).id).toBe(second);
    });
    expect((await take()).id).toBe(first);
  });

  it('belongs to its organization', async () => {
    const id = await addJob(database);
    expect(await read(id, 'blue')).toBeUndefined();
    const cancelled = await withTenant(database, 'blue', (tx) => cancelJob(tx, id));
    expect(cancelled).toBeUndefined();
  });
});

it('the backlog counts what has not ended, in all organizations', async () => {
  expect(await backlog(database)).toEqual({ queued: 0, running: 0, oldestQueuedSeconds: 0 });
  await addJob(database);
  await addJob(database, 'blue');
  await addJob(database);
  await take();
  expect(await backlog(database)).toMatchObject({ queued: 2, running: 1 });
});

it('the table is what its migrations make', async () => {
  const folder = new URL('../../src/modules/jobs/drizzle/meta/', import.meta.url);
  const { entries } = JSON.parse(readFileSync(new URL('_journal.json', folder), 'utf8'));
  const latest = String(entries.at(-1).idx).padStart(4, '0');
  const migrated = JSON.parse(readFileSync(new URL(`${latest}_snapshot.json`, folder), 'utf8'));
  const declared = generateDrizzleJson(table, migrated.id);
  expect(await generateMigration(migrated, declared)).toEqual([]);
});
