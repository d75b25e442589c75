import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, JobPage, Problem } from '@app/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Prometheus } from '../../src/metrics/prometheus.ts';
import { instance } from '../ml/contract.ts';
import { dropped, FakeMl, frozen, inTurn, predictions, problem, raw } from '../ml/fake-ml.ts';
import { askWith, makeKey } from '../support/api-keys.ts';
import { addMember, type Client, signUpOwner, startApp, type TestApp } from '../support/app.ts';
import { addJob, addPeople } from './jobs.ts';

const ACME = '/api/v1/organizations/acme';
const PATH = `${ACME}/jobs`;
const TOKEN = 'for-prometheus-only';
const BODY = { instances: [instance()] };

const service = new FakeMl();
const ofTheProcess = new Prometheus();
let running: TestApp;
let owner: Client;

beforeAll(async () => {
  await service.start();
  running = await startApp({
    env: {
      ML_URL: service.url,
      ML_JOBS_ENABLED: 'true',
      ML_JOBS_POLL_MS: '50',
      ML_JOBS_BACKOFF_MS: '20',
      ML_JOBS_MAX_ATTEMPTS: '3',
      ML_JOBS_LEASE_MS: '6000',
      ML_BREAKER_OPEN_MS: '100',
      METRICS_TOKEN: TOKEN,
    },
    metrics: ofTheProcess,
  });
  // The worker begins when the application listens.
  await running.app.listen({ port: 0, host: '127.0.0.1' });
  owner = (await signUpOwner(running.app, 'acme')).client;
});

afterAll(async () => {
  await service.kill();
  await running.close();
});

/** Nothing of one test is left to the next: no job, no open circuit. */
beforeEach(async () => {
  service.answer = predictions;
  for (const status of ['running', 'queued']) {
    const { items } = (await owner.get(`${PATH}?limit=100&status=${status}`)).json<JobPage>();
    for (const { id } of items) await cancel(id);
  }
  await becomes((await create()).id, 'succeeded');
  service.calls.length = 0;
});

async function post(
  key: string = randomUUID(),
  payload: object = BODY,
  client = owner,
  path = PATH,
) {
  return client.send('POST', path, { payload, headers: { 'idempotency-key': key } });
}

async function create(client = owner, path = PATH): Promise<Job> {
  const response = await post(randomUUID(), BODY, client, path);
  expect(response.statusCode).toBe(202);
  return response.json<Job>();
}

const read = async (id: string) => (await owner.get(`${PATH}/${id}`)).json<Job>();
const cancel = (id: string, client = owner, path = PATH) => client.send('DELETE', `${path}/${id}`);

async function becomes(id: string, status: Job['status']): Promise<Job> {
  await expect.poll(async () => (await read(id)).status, { timeout: 60_000 }).toBe(status);
  return read(id);
}

test('is accepted at once and runs in the background', async () => {
  const response = await post();
  expect(response.statusCode).toBe(202);
  const { id } = response.json<Job>();
  expect(response.headers.location).toBe(`${PATH}/${id}`);
  const job = await becomes(id, 'succeeded');
  expect(job).toMatchObject({ attempts: 1, problem: null });
  expect(job.result?.predictions).toHaveLength(1);
  expect(job.result?.model).toEqual({ name: 'fake', version: '1' });
});

test('carries the request id and the trace of its caller to the service', async () => {
  const trace = '0af7651916cd43dd8448eb211c80319c';
  const response = await owner.send('POST', PATH, {
    payload: BODY,
    headers: {
      'idempotency-key': randomUUID(),
      'x-request-id': 'job-42',
      traceparent: `00-${trace}-b7ad6b7169203331-01`,
    },
  });
  await becomes(response.json<Job>().id, 'succeeded');
  expect(service.calls[0]?.headers['x-request-id']).toBe('job-42');
  expect(service.calls[0]?.headers.traceparent).toContain(trace);
});

describe('the same key', () => {
  test('with the same body is the same job, however often and at once it is sent', async () => {
    const key = randomUUID();
    const responses = await Promise.all(Array.from({ length: 5 }, () => post(key)));
    expect(new Set(responses.map((response) => response.statusCode))).toEqual(new Set([202]));
    const ids = new Set(responses.map((response) => response.json<Job>().id));
    expect(ids.size).toBe(1);
    await becomes([...ids][0] ?? '', 'succeeded');
    expect(service.calls).toHaveLength(1);
  });

  test('with another body is refused', async () => {
    const key = randomUUID();
    await post(key);
    const response = await post(key, { instances: [instance(), instance()] });
    expect(response.statusCode).toBe(422);
    expect(response.json<Problem>().code).toBe('idempotency_key_reused');
  });

  test('of somebody else is another job', async () => {
    const member = await addMember(running, owner, 'key@example.com', 'member');
    const key = randomUUID();
    const [mine, theirs] = [await post(key), await post(key, BODY, member)];
    expect(theirs.statusCode).toBe(202);
    expect(theirs.json<Job>().id).not.toBe(mine.json<Job>().id);
  });

  test("of the sender's program is another job, and the same to that program", async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const mine = await post(headers['idempotency-key']);
    const program = await makeKey(owner, ACME, { scopes: ['job:create'] });
    const ask = () =>
      askWith(running.app, program, PATH, { method: 'POST', payload: BODY, headers });
    const theirs = await ask();
    expect(theirs.statusCode).toBe(202);
    expect(theirs.json<Job>().id).not.toBe(mine.json<Job>().id);
    expect((await ask()).json<Job>().id).toBe(theirs.json<Job>().id);
  });
});

test("cannot be cancelled with an admin's API key that is not for the jobs of others", async () => {
  const member = await addMember(running, owner, 'waits@example.com', 'member');
  service.answer = frozen;
  const { id } = await create(member);
  const cancelWith = async (scopes: string[]) =>
    askWith(running.app, await makeKey(owner, ACME, { scopes }), `${PATH}/${id}`, {
      method: 'DELETE',
    });
  const refused = await cancelWith(['job:cancel']);
  expect([refused.statusCode, refused.json<Problem>().code]).toEqual([403, 'not_your_job']);
  expect((await cancelWith(['job:cancel', 'job:cancelOfOthers'])).statusCode).toBe(200);
});

test('needs a key, and a body that fits the contract', async () => {
  const keyless = await owner.post(PATH, BODY);
  expect(keyless.statusCode).toBe(400);
  expect(keyless.json<Problem>().errors).toMatchObject([
    { in: 'headers', path: '/idempotency-key' },
  ]);
  expect((await post('two words')).statusCode).toBe(400);
  expect((await post(randomUUID(), { instances: [] })).statusCode).toBe(400);
  expect(service.calls).toHaveLength(0);
});

describe('when the service', () => {
  test('asks for patience, the job waits and loses no attempt', async () => {
    const busy = problem(503, 'queue_full', { 'retry-after': '1' });
    service.answer = inTurn(busy, problem(504, 'deadline', { 'retry-after': '1' }), predictions);
    const started = performance.now();
    const job = await becomes((await create()).id, 'succeeded');
    expect(job.attempts).toBe(1);
    expect(performance.now() - started).toBeGreaterThan(2_000);
    expect(service.calls).toHaveLength(3);
  });

  test('is away, the job waits and loses no attempt', async () => {
    await service.kill();
    const { id } = await create();
    await expect
      .poll(() => running.logs.some((line) => line.jobId === id && line.outcome === 'postponed'))
      .toBe(true);
    await service.start();
    expect((await becomes(id, 'succeeded')).attempts).toBe(1);
  });

  test('fails and then recovers, the job succeeds', async () => {
    service.answer = inTurn(raw('<html>'), predictions);
    expect((await becomes((await create()).id, 'succeeded')).attempts).toBe(2);
  });

  test('fails every time, the job fails and says why', async () => {
    service.answer = problem(500, 'internal_error');
    const job = await becomes((await create()).id, 'failed');
    expect(job).toMatchObject({ attempts: 3, result: null, problem: { code: 'ml_failed' } });
  });

  test('dies of it every time, the job fails and says so', async () => {
    service.answer = dropped;
    const job = await becomes((await create()).id, 'failed');
    expect(job).toMatchObject({ attempts: 3, problem: { status: 503, code: 'ml_unreachable' } });
  });

  test('refuses the input, the job fails at once', async () => {
    service.answer = problem(422, 'not_an_image');
    const job = await becomes((await create()).id, 'failed');
    expect(job).toMatchObject({ attempts: 1, problem: { status: 422, code: 'not_an_image' } });
  });
});

describe('cancelling', () => {
  test('a running job ends the call', async () => {
    service.answer = frozen;
    const { id } = await create();
    await becomes(id, 'running');
    await expect.poll(() => service.calls.length).toBe(1);
    const response = await cancel(id);
    expect(response.statusCode).toBe(200);
    expect(response.json<Job>()).toMatchObject({ status: 'cancelled', result: null });
    await expect.poll(() => service.calls[0]?.abandoned).toBe(true);
    expect((await cancel(id)).statusCode).toBe(200);
    expect((await read(id)).status).toBe('cancelled');
  });

  test('more than may run at once leaves the others queued until there is room', async () => {
    service.answer = frozen;
    const ids: string[] = [];
    for (let made = 0; made < 3; made++) ids.push((await create()).id);
    await expect.poll(() => service.calls.length).toBe(2);
    const statuses = async () => (await Promise.all(ids.map(read))).map((job) => job.status);
    expect((await statuses()).toSorted()).toEqual(['queued', 'running', 'running']);
    // Longer than a lease: heartbeats keep both with their worker.
    await new Promise((resolve) => setTimeout(resolve, 7_000));
    expect(service.calls).toHaveLength(2);
    for (const id of ids) await cancel(id);
    expect(await statuses()).toEqual(['cancelled', 'cancelled', 'cancelled']);
  });

  test('comes too late for a job that has ended', async () => {
    const { id } = await create();
    await becomes(id, 'succeeded');
    const response = await cancel(id);
    expect(response.statusCode).toBe(409);
    expect(response.json<Problem>().code).toBe('job_ended');
  });
});

describe('who may do what', () => {
  test('viewers read, members cancel their own, admins cancel all', async () => {
    service.answer = frozen;
    const { id } = await create();
    const viewer = await addMember(running, owner, 'viewer@example.com', 'viewer');
    expect((await viewer.get(`${PATH}/${id}`)).statusCode).toBe(200);
    expect((await post(randomUUID(), BODY, viewer)).statusCode).toBe(403);
    expect((await cancel(id, viewer)).statusCode).toBe(403);
    const member = await addMember(running, owner, 'member@example.com', 'member');
    const refused = await cancel(id, member);
    expect(refused.statusCode).toBe(403);
    expect(refused.json<Problem>().code).toBe('not_your_job');
    const own = await create(member);
    expect((await cancel(own.id, member)).statusCode).toBe(200);
    const admin = await addMember(running, owner, 'admin@example.com', 'admin');
    expect((await cancel(id, admin)).statusCode).toBe(200);
  });

  test('the jobs of other organizations are not there', async () => {
    const { id } = await create();
    const { client: rival, path } = await signUpOwner(running.app, 'rival');
    expect((await rival.get(`${PATH}/${id}`)).statusCode).toBe(404);
    expect((await cancel(id, rival)).statusCode).toBe(404);
    expect((await rival.get(`${path}/jobs/${id}`)).statusCode).toBe(404);
    expect((await cancel(id, rival, `${path}/jobs`)).statusCode).toBe(404);
    expect((await rival.get(`${path}/jobs`)).json<JobPage>().items).toEqual([]);
    await becomes(id, 'succeeded');
  });
});

test('the list has pages, newest first, and can be of one status', async () => {
  const made = [];
  for (let count = 0; count < 3; count++) made.push((await create()).id);
  const first = (await owner.get(`${PATH}?limit=2`)).json<JobPage>();
  expect(first.items.map((job) => job.id)).toEqual([made[2], made[1]]);
  const second = (await owner.get(`${PATH}?limit=2&cursor=${first.nextCursor}`)).json<JobPage>();
  expect(second.items[0]?.id).toBe(made[0]);
  const cancelled = (await owner.get(`${PATH}?status=cancelled`)).json<JobPage>();
  expect(new Set(cancelled.items.map((job) => job.status))).toEqual(new Set(['cancelled']));
});

test('a process with ML_JOBS_WORKER=false accepts jobs and leaves them to others', async () => {
  const apart = await startApp({
    env: {
      ML_URL: service.url,
      ML_JOBS_ENABLED: 'true',
      ML_JOBS_WORKER: 'false',
      ML_JOBS_POLL_MS: '20',
    },
  });
  await apart.app.listen({ port: 0, host: '127.0.0.1' });
  const { client, path } = await signUpOwner(apart.app, 'apart');
  const { id } = await create(client, `${path}/jobs`);
  await sleep(300);
  const left = (await client.get(`${path}/jobs/${id}`)).json<Job>();
  expect(left).toMatchObject({ status: 'queued', attempts: 0 });
  expect(service.calls).toHaveLength(0);
  await apart.close();
});

test('where jobs are switched off, nothing is there and none is run', async () => {
  const off = await startApp({
    env: {
      ML_URL: service.url,
      ML_JOBS_ENABLED: 'false',
      ML_JOBS_POLL_MS: '20',
      METRICS_TOKEN: TOKEN,
    },
  });
  await addPeople(off.database);
  await addJob(off.database);
  await off.app.listen({ port: 0, host: '127.0.0.1' });
  const { client } = await signUpOwner(off.app, 'acme');
  for (const response of [
    await post(randomUUID(), BODY, client),
    await client.get(PATH),
    await client.get(`${PATH}/${randomUUID()}`),
    await cancel(randomUUID(), client),
    await off.app.inject({ url: '/metrics', headers: { authorization: `Bearer ${TOKEN}` } }),
  ]) {
    expect(response.statusCode).toBe(404);
    expect(response.json<Problem>().code).toBe('switched_off');
  }
  await sleep(300);
  expect(service.calls).toHaveLength(0);
  await off.close();
});

test('metrics are for those who hold the token', async () => {
  expect((await running.app.inject('/metrics')).statusCode).toBe(401);
  const headers = { authorization: `Bearer ${TOKEN}` };
  const { body } = await running.app.inject({ url: '/metrics', headers });
  expect(body).toMatch(/^ml_jobs\{status="queued"\} \d+$/m);
  expect(body).toMatch(/^ml_job_attempts_total\{outcome="succeeded"\} [1-9]/m);
  expect(body).toMatch(/^ml_job_attempts_total\{outcome="dropped"\} [1-9]/m);
  expect(await ofTheProcess.scrape()).toMatch(
    /^ml_job_attempts_total\{outcome="succeeded"\} [1-9]/m,
  );
});
