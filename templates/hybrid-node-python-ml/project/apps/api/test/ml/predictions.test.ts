import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addMember, type Client, signUpOwner, startApp, type TestApp } from '../support/app.ts';
import { instance } from './contract.ts';
import { FakeMl, frozen, predictions, problem, raw, slow } from './fake-ml.ts';

const PATH = '/api/v1/organizations/acme/predictions';

const service = new FakeMl();
let running: TestApp;
let owner: Client;
/** Of an application that waits no longer for a service that does not answer; the other does, however busy the machine is. */
let hasty: Client;
let closeAll: () => Promise<unknown>;

async function start(attemptMs: number) {
  const app = await startApp({
    env: {
      ML_URL: service.url,
      ML_ATTEMPT_TIMEOUT_MS: String(attemptMs),
      ML_TOTAL_TIMEOUT_MS: String(attemptMs * 2),
      ML_BREAKER_FAILURES: '3',
      ML_BREAKER_OPEN_MS: '2000',
    },
  });
  return { app, owner: (await signUpOwner(app.app, 'acme')).client };
}

beforeAll(async () => {
  await service.start();
  const [first, second] = [await start(60_000), await start(500)];
  ({ app: running, owner } = first);
  hasty = second.owner;
  closeAll = () => Promise.all([first.app.close(), second.app.close()]);
});

afterAll(async () => {
  await service.kill();
  await closeAll();
});

beforeEach(() => {
  service.answer = predictions;
  service.readiness = 200;
  service.calls.length = 0;
});

const ask = (client = owner) => client.post(PATH, { instances: [instance()] });

/** Waits until the service is asked again and answers. */
async function recovered(client = owner): Promise<void> {
  await expect.poll(async () => (await ask(client)).statusCode).toBe(200);
}

test('predicts for members, and says which model did', async () => {
  const response = await ask();
  expect(response.statusCode).toBe(200);
  expect(response.json().predictions).toHaveLength(1);
  expect(response.json().model).toEqual({ name: 'fake', version: '1' });
});

test('is for those who may use it', async () => {
  const anonymous = await running.app.inject({
    method: 'POST',
    url: PATH,
    payload: { instances: [instance()] },
  });
  expect(anonymous.statusCode).toBe(401);
  const viewer = await addMember(running, owner, 'viewer@example.com', 'viewer');
  expect((await ask(viewer)).statusCode).toBe(403);
  expect(service.calls).toHaveLength(0);
});

test('refuses what does not fit the contract without asking the service', async () => {
  const response = await owner.post(PATH, { instances: [[1, 2, 3]] });
  expect(response.statusCode).toBe(400);
  expect(response.json().errors[0].path).toBe('/instances/0');
  expect(service.calls).toHaveLength(0);
});

test('carries the request id and the trace of the caller to the service and to the log', async () => {
  const trace = '0af7651916cd43dd8448eb211c80319c';
  await owner.send('POST', PATH, {
    payload: { instances: [instance()] },
    headers: { 'x-request-id': 'r-42', traceparent: `00-${trace}-b7ad6b7169203331-01` },
  });
  expect(service.calls[0]?.headers['x-request-id']).toBe('r-42');
  expect(service.calls[0]?.headers.traceparent).toContain(trace);
  expect(running.logs.some((line) => line.reqId === 'r-42' && line.traceId === trace)).toBe(true);
});

describe('when the service', () => {
  test.each([
    ['is overloaded', problem(503, 'queue_full', { 'retry-after': '7' }), 'ml_overloaded', '7'],
    ['answers garbage', raw('<html>'), 'ml_bad_answer', '1'],
    ['fails', problem(500, 'internal_error'), 'ml_failed', '1'],
    ['is slow', slow(5_000), 'ml_timeout', '1'],
    ['is frozen', frozen, 'ml_timeout', '1'],
  ])('%s, the answer is a problem that says so', async (_name, answer, code, retryAfter) => {
    const client = code === 'ml_timeout' ? hasty : owner;
    await recovered(client);
    service.answer = answer;
    const response = await ask(client);
    expect(response.statusCode).toBe(503);
    expect(response.headers['content-type']).toContain('application/problem+json');
    expect(response.headers['retry-after']).toBe(retryAfter);
    expect(response.json()).toMatchObject({ status: 503, code });
    expect(response.json().requestId).toBe(response.headers['x-request-id']);
  });

  test('is frozen under load, the API stays live and ready', async () => {
    await recovered(hasty);
    service.answer = frozen;
    service.readiness = undefined;
    const asked = Array.from({ length: 20 }, () => ask(hasty));
    for (const path of ['/livez', '/readyz']) {
      expect((await hasty.get(path)).statusCode).toBe(200);
    }
    const codes = (await Promise.all(asked)).map((response) => response.json().code);
    expect(codes.every((code) => ['ml_timeout', 'ml_circuit_open'].includes(code))).toBe(true);
  });

  test('is ready or not, /readyz says so and the API is ready', async () => {
    const dependency = async () => {
      const response = await owner.get('/readyz');
      expect(response.statusCode).toBe(200);
      return response.json().dependencies.ml;
    };
    await expect.poll(dependency, { timeout: 30_000 }).toBe('up');
    service.readiness = 503;
    expect(await dependency()).toBe('down');
    service.readiness = undefined;
    expect(await dependency()).toBe('down');
    await service.kill();
    expect(await dependency()).toBe('down');
    service.readiness = 200;
    await service.start();
    const all = () => Promise.all([1, 2, 3].map(dependency));
    await expect.poll(all, { timeout: 30_000 }).toEqual(['up', 'up', 'up']);
  });

  test('is killed and comes back, the API recovers by itself', async () => {
    await recovered();
    await service.kill();
    const code = async () => (await ask()).json().code;
    expect(await code()).toBe('ml_unreachable');
    // On a busy machine it may have closed again by the time of the next question: that fails, too.
    await expect.poll(code).toBe('ml_circuit_open');
    await service.start();
    await recovered();
  });
});
