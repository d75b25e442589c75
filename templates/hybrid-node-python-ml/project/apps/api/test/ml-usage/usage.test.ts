import { randomUUID } from 'node:crypto';
import type { Job, PredictionUsage } from '@app/contracts';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withTenant } from '../../src/db/tenant.ts';
import { problem as failure } from '../../src/modules/jobs/judge.ts';
import { claim, failAbandoned, settle } from '../../src/modules/jobs/queue.ts';
import { mlUsage } from '../../src/modules/ml-usage/table.ts';
import { instance } from '../ml/contract.ts';
import { FakeMl, predictions, problem } from '../ml/fake-ml.ts';
import { broken, streamed } from '../ml-stream/fake-stream.ts';
import { addMember, type Client, signUpOwner, startApp, type TestApp } from '../support/app.ts';

const LIMIT = 10;
const ACME = '/api/v1/organizations/acme';
const PATIENT_MS = '30000';

const service = new FakeMl();
let running: TestApp;
let owner: Client;
let organizationId: string;

beforeAll(async () => {
  await service.start();
  running = await startApp({
    env: {
      ML_URL: service.url,
      ML_MONTHLY_PREDICTIONS: `${LIMIT}`,
      ML_ATTEMPT_TIMEOUT_MS: PATIENT_MS,
      ML_TOTAL_TIMEOUT_MS: PATIENT_MS,
      ML_STREAM_ENABLED: 'true',
      ML_STREAM_IDLE_MS: PATIENT_MS,
      ML_JOBS_ENABLED: 'true',
    },
  });
  ({ client: owner, organizationId } = await signUpOwner(running.app, 'acme'));
});
afterAll(async () => {
  await service.kill();
  await running.close();
});
beforeEach(async () => {
  service.answer = predictions;
  service.calls.length = 0;
  for (const table of ['ml_jobs', 'ml_usage']) {
    await running.database.db.execute(sql`truncate ${sql.identifier(table)}`);
  }
});

const body = (count: number) => ({ instances: Array.from({ length: count }, () => instance()) });
const ask = (count: number, client = owner) => client.post(`${ACME}/predictions`, body(count));
const watch = (count: number) => owner.post(`${ACME}/predictions/stream`, body(count));
const order = (count: number, key: string = randomUUID()) =>
  owner.send('POST', `${ACME}/jobs`, { payload: body(count), headers: { 'idempotency-key': key } });

async function usage(client = owner, path = ACME): Promise<PredictionUsage> {
  return (await client.get(`${path}/predictions/usage`)).json();
}
const used = async () => (await usage()).predictions;

describe('predictions are counted', () => {
  test('one for each instance, by organization and month', async () => {
    expect((await ask(3)).statusCode).toBe(200);
    expect((await ask(2)).statusCode).toBe(200);
    const other = await signUpOwner(running.app, 'other');
    const month = new Date().toISOString().slice(0, 7);
    expect(await usage()).toEqual({
      month,
      predictions: 5,
      limit: LIMIT,
      endsAt: expect.stringMatching(/^\d{4}-\d\d-01T00:00:00\.000Z$/),
      earlier: [],
    });
    expect(await usage(other.client, other.path)).toMatchObject({ predictions: 0 });
    const viewer = await addMember(running, owner, 'viewer@example.com', 'viewer');
    expect(await usage(viewer)).toMatchObject({ predictions: 5 });
  });

  test('and those of earlier months kept apart', async () => {
    await ask(1);
    await withTenant(running.database, organizationId, (tx) =>
      tx.insert(mlUsage).values([
        { month: '2024-12', predictions: 7 },
        { month: '2025-01', predictions: 8 },
      ]),
    );
    expect((await ask(LIMIT - 1)).statusCode).toBe(200);
    expect((await usage()).earlier).toEqual([
      { month: '2025-01', predictions: 8 },
      { month: '2024-12', predictions: 7 },
    ]);
  });

  test('and not, where the service gave none', async () => {
    service.answer = problem(500, 'internal_error');
    expect((await ask(3)).statusCode).toBe(503);
    expect((await watch(3)).statusCode).toBe(503);
    expect(await used()).toBe(0);
  });

  test('as far as a stream came', async () => {
    service.answer = streamed();
    expect((await watch(3)).body).toContain('event: done');
    expect(await used()).toBe(3);
    service.answer = broken(2);
    expect((await watch(4)).body).toContain('event: error');
    await expect.poll(used).toBe(5);
  });
});

describe('where a month is used up', () => {
  test('more are refused, with the time that is left, and the service is not asked', async () => {
    await ask(LIMIT - 1);
    service.calls.length = 0;
    for (const response of [await ask(2), await watch(2), await order(2)]) {
      expect(response.statusCode).toBe(429);
      expect(response.json()).toMatchObject({ code: 'prediction_quota_exceeded' });
      expect(response.json().detail).toMatch(/^Of 10 predictions a month 1 are left until /);
      expect(Number(response.headers['retry-after'])).toBeLessThanOrEqual(31 * 86_400);
    }
    expect(service.calls).toEqual([]);
    expect((await ask(1)).statusCode).toBe(200);
    expect((await ask(LIMIT + 1)).statusCode).toBe(429);
    expect(await used()).toBe(LIMIT);
  });

  test('by requests that come at once, no more are made than there are', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(3)));
    const codes = answers.map(({ statusCode }) => statusCode).toSorted();
    expect(codes).toEqual([200, 200, 200, 429, 429, 429, 429, 429]);
    expect(await used()).toBe(9);
  });
});

describe('a job', () => {
  test('is counted when it is accepted, and once however often it is sent', async () => {
    const key = randomUUID();
    expect([await order(4, key), await order(4, key)].map((each) => each.statusCode)).toEqual([
      202, 202,
    ]);
    expect(await used()).toBe(4);
  });

  test('is not, when it was cancelled', async () => {
    const { id } = (await order(4)).json<Job>();
    await order(1);
    await owner.send('DELETE', `${ACME}/jobs/${id}`);
    expect(await used()).toBe(1);
  });

  test('is not, when it has failed or its workers have vanished', async () => {
    await order(4);
    const lease = await claim(running.database, 60_000);
    if (!lease) throw new Error('no job is due');
    const outcome = { kind: 'failed', problem: failure(422, 'no', 'It cannot be done') } as const;
    expect(await settle(running.database, lease, outcome)).toBe(true);
    expect(await settle(running.database, lease, outcome)).toBe(false);
    expect(await used()).toBe(0);

    await order(3);
    await claim(running.database, 1);
    await expect
      .poll(() => failAbandoned(running.database, 1, failure(500, 'job_abandoned', 'Gone')))
      .toBe(1);
    expect(await used()).toBe(0);
  });
});
