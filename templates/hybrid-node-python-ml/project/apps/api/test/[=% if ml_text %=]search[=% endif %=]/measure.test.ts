import { globSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { withTenant } from '../../src/db/tenant.ts';
import { Prometheus } from '../../src/metrics/prometheus.ts';
import { enqueueEmbedding, findUnembedded } from '../../src/modules/search/jobs.ts';
import { findWork } from '../../src/modules/search/repository.ts';
import { type Client, signUpOwner, startApp, type TestApp } from '../support/app.ts';
import { FakeEncoder } from './fake-encoder.ts';

const PATIENT_MS = '300000';
const QUOTA = 50;
const HOUR = 3_600;

const service = new FakeEncoder();
const metrics = new Prometheus();
let running: TestApp;
let owner: Client;
let path: string;
let organizationId: string;

beforeAll(async () => {
  await service.start();
  running = await startApp({
    metrics,
    env: {
      ML_URL: service.url,
      ML_ATTEMPT_TIMEOUT_MS: PATIENT_MS,
      ML_TOTAL_TIMEOUT_MS: PATIENT_MS,
      ML_BREAKER_FAILURES: '1000',
      ML_MONTHLY_PREDICTIONS: `${QUOTA}`,
    },
  });
  ({ client: owner, path, organizationId } = await signUpOwner(running.app, 'acme'));
});
afterAll(async () => {
  await service.kill();
  await running.close();
});

/** What there was at the beginning of a test, by name and labels. */
let before: Map<string, number>;
beforeEach(async () => {
  before = await scrape();
});

async function scrape(): Promise<Map<string, number>> {
  const lines = (await metrics.scrape()).split('\n').filter((line) => line.startsWith('search_'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))] as const;
    }),
  );
}

/** How many searches there were meanwhile, by outcome, and of how many it is known how long they took. */
async function searches(): Promise<Record<string, number>> {
  const now = [...(await scrape())].filter(([name]) => /requests_total|seconds_count/.test(name));
  const by = now.map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(by.filter(([, value]) => value !== 0));
}

const requests = (outcome: string) => `search_requests_total{outcome="${outcome}"}`;
const timed = (outcome: string) => `search_duration_seconds_count{outcome="${outcome}"}`;

async function documents(): Promise<Record<string, number | undefined>> {
  const now = await scrape();
  const states = ['waiting', 'later', 'ready', 'failed', 'given_up'];
  return Object.fromEntries(
    states.map((state) => [state, now.get(`search_documents{state="${state}"}`)]),
  );
}

const NONE = { waiting: 0, later: 0, ready: 0, failed: 0, given_up: 0 };
const inTime = { timeout: 240_000 };
const settled = (expected: Partial<typeof NONE>) =>
  expect.poll(documents, inTime).toEqual({ ...NONE, ...expected });
const oldest = async () => (await scrape()).get('search_oldest_waiting_seconds');

const add = async (client: Client, to: string, title: string) => {
  const response = await client.post(`${to}/documents`, { title, text: 'A vehicle.' });
  expect(response.statusCode, response.body).toBe(201);
};
const find = (q: string) => owner.get(`${path}/search?q=${q}`);

test('documents of all organizations are counted by state, and the oldest that waits tells for how long', async () => {
  expect(await documents()).toEqual(NONE);
  expect(await oldest()).toBe(0);
  const other = await signUpOwner(running.app, 'other');
  await add(owner, path, 'Unspeakable');
  await add(owner, path, 'Indigestible');
  await add(other.client, other.path, 'Garage');
  await add(other.client, other.path, 'Bus');
  await withTenant(running.database, other.organizationId, (tx) =>
    tx.execute(sql`update search_documents set created_at = now() - interval '1 hour'
      where title = 'Garage'`),
  );
  await settled({ waiting: 4 });
  expect(await oldest()).toBeGreaterThanOrEqual(HOUR);

  service.refuses = 'Unspeakable';
  service.stumbles = { on: 'Indigestible', by: 'failing' };
  await running.app.jobs.start();
  // It would run in the middle of what follows.
  await running.database.db.execute(sql`
    delete from queue.schedule where name = ${findUnembedded.name}`);
  await settled({ ready: 2, failed: 1, later: 1 });
  expect(await oldest()).toBe(0);
  // As if the last attempt's time had come.
  await withTenant(running.database, organizationId, async (tx) => {
    await tx.execute(sql`update search_documents set attempts = 4, next_attempt_at = null
      where title = 'Indigestible'`);
    await enqueueEmbedding(tx, organizationId);
  });
  await settled({ ready: 2, failed: 1, given_up: 1 });

  // For another version they wait from now on, however old they are.
  await findWork(running.database, 'another 1 4', new AbortController().signal);
  await settled({ waiting: 4 });
  expect(await oldest()).toBeLessThan(HOUR);
});

test('a search is counted by what it was ranked by, with how long it took', async () => {
  const begun = performance.now();
  await find('vehicle');
  expect(await searches()).toEqual({
    [requests('meaning_and_words')]: 1,
    [timed('meaning_and_words')]: 1,
  });
  const seconds = (performance.now() - begun) / 1_000;
  const sum = (await scrape()).get('search_duration_seconds_sum{outcome="meaning_and_words"}');
  expect(sum).toBeGreaterThan(0);
  expect(sum).toBeLessThanOrEqual(seconds);
  await service.kill();
  await find('vehicle');
  await service.start();
  expect(await searches()).toEqual({
    [requests('meaning_and_words')]: 1,
    [timed('meaning_and_words')]: 1,
    [requests('words')]: 1,
    [timed('words')]: 1,
  });
});

test('those that get no answer are told apart, and no time of theirs is kept', async () => {
  service.refuses = 'unspeakable';
  expect((await find('unspeakable')).statusCode).toBe(422);
  expect(await searches()).toEqual({ [requests('refused')]: 1 });

  const { db } = running.database;
  await db.execute(sql`alter table search_passages rename to mislaid`);
  expect((await find('vehicle')).statusCode).toBe(500);
  await db.execute(sql`alter table mislaid rename to search_passages`);
  expect(await searches()).toEqual({ [requests('refused')]: 1, [requests('error')]: 1 });

  await withTenant(running.database, organizationId, (tx) =>
    tx.execute(sql`update ml_usage set predictions = ${QUOTA}::int`),
  );
  expect((await find('vehicle')).statusCode).toBe(429);
  expect(await searches()).toEqual({
    [requests('refused')]: 1,
    [requests('error')]: 1,
    [requests('over_quota')]: 1,
  });
});

test('whoever goes away is no failure', async () => {
  await withTenant(running.database, organizationId, (tx) =>
    tx.execute(sql`update ml_usage set predictions = 0`),
  );
  await running.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = running.app.server.address() as AddressInfo;
  const calls = service.calls.length;
  service.answer = () => {};
  const controller = new AbortController();
  const left = fetch(`http://127.0.0.1:${port}${path}/search?q=vehicle`, {
    headers: { cookie: owner.cookie },
    signal: controller.signal,
  }).catch(() => 'left');
  await expect.poll(() => service.calls.length).toBeGreaterThan(calls);
  controller.abort();
  expect(await left).toBe('left');
  await expect.poll(searches).toEqual({ [requests('abandoned')]: 1 });
});

test('there is everything that the dashboard and the alerts ask for, and no label of anybody’s', async () => {
  const cwd = fileURLToPath(new URL('../../../../monitoring', import.meta.url));
  const files = globSync('*-search.{json,yaml}', { cwd });
  const asked = files.flatMap(
    (file) => readFileSync(join(cwd, file), 'utf8').match(/\bsearch_\w+/g) ?? [],
  );
  const names = [...(await scrape()).keys()];
  const there = names.map((name) => name.replace(/\{.*/, ''));
  expect(asked.filter((name) => !there.includes(name))).toEqual([]);
  expect(asked.length >= 4 || files.length < 2).toBe(true);
  const labels = names.flatMap((name) => [...name.matchAll(/(\w+)="/g)].map(([, label]) => label));
  expect(new Set(labels)).toEqual(new Set(['outcome', 'state', 'le']));
});
