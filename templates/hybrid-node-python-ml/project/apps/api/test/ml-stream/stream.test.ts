import type { AddressInfo } from 'node:net';
import { StreamEvent } from '@app/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { instance } from '../ml/contract.ts';
import { dropped, FakeMl, frozen, inTurn, predictions, problem, raw } from '../ml/fake-ml.ts';
import {
  addMember,
  type Client,
  ORIGIN,
  signUpOwner,
  startApp,
  type TestApp,
} from '../support/app.ts';
import {
  broken,
  done,
  ending,
  failed,
  flood,
  hesitant,
  prediction,
  silent,
  streamed,
} from './fake-stream.ts';

const PATH = '/api/v1/organizations/acme/predictions/stream';
const IDLE_MS = 4_000;
const TOTAL_MS = 60_000;
/** For what never begins, for what falls silent, and for what goes on and on; no circuit is opened by them. */
const CLOSED = { ML_BREAKER_FAILURES: '1000' };
const HASTY = { ...CLOSED, ML_ATTEMPT_TIMEOUT_MS: '500' };
const ALERT = { ...CLOSED, ML_STREAM_IDLE_MS: String(IDLE_MS), ML_STREAM_TIMEOUT_MS: '600000' };
const BRIEF = { ...CLOSED, ML_STREAM_TIMEOUT_MS: '6000' };

const service = new FakeMl();

interface Running {
  readonly test: TestApp;
  readonly owner: Client;
  readonly address: string;
}

let patient: Running;
let hasty: Running;
let alert: Running;
let brief: Running;
let running: TestApp;
let owner: Client;

async function start(env: Record<string, string> = {}): Promise<Running> {
  const test = await startApp({
    env: {
      ML_URL: service.url,
      ML_SERVICE_TOKEN: 'a-token-of-the-right-length',
      // The machine may be busy.
      ML_ATTEMPT_TIMEOUT_MS: '30000',
      ML_BREAKER_FAILURES: '3',
      ML_BREAKER_OPEN_MS: '1000',
      ML_STREAM_ENABLED: 'true',
      ML_STREAM_TIMEOUT_MS: String(TOTAL_MS),
      ML_STREAM_IDLE_MS: '30000',
      ML_STREAM_MAX_CONCURRENCY: '2',
      ...env,
    },
  });
  const { client } = await signUpOwner(test.app, 'acme');
  await test.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = test.app.server.address() as AddressInfo;
  return { test, owner: client, address: `http://127.0.0.1:${port}` };
}

beforeAll(async () => {
  await service.start();
  patient = await start();
  hasty = await start(HASTY);
  alert = await start(ALERT);
  brief = await start(BRIEF);
  ({ test: running, owner } = patient);
});

afterAll(async () => {
  await service.kill();
  for (const { test } of [patient, hasty, alert, brief]) await test.close();
});

beforeEach(async () => {
  service.answer = streamed();
  // Whoever is less patient may be cut off, and the service would hear of it in the middle of a test.
  await expect.poll(async () => (await ask()).status).toBe(200);
  service.calls.length = 0;
});

function open(count = 1, at = patient, signal: AbortSignal | null = null): Promise<Response> {
  return fetch(`${at.address}${PATH}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: ORIGIN, cookie: at.owner.cookie },
    body: JSON.stringify({ instances: Array(count).fill(instance()) }),
    signal,
  });
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly events: StreamEvent[];
}

async function ask(count = 1, at = patient): Promise<Answer> {
  const response = await open(count, at);
  const text = await response.text();
  const blocks = response.ok
    ? text.split('\n\n').filter((block) => block.startsWith('event:'))
    : [];
  const events = blocks.map((block) => {
    const [name, data] = block.split('\n');
    const event = StreamEvent.parse(JSON.parse(data?.replace('data: ', '') ?? ''));
    expect(name).toBe(`event: ${event.type}`);
    return event;
  });
  return { status: response.status, text, events };
}

/** The code with which a stream ended early, after so many predictions. */
async function ended(count = 3, at = patient): Promise<[number, string]> {
  const { status, events } = await ask(count, at);
  expect(status).toBe(200);
  const last = events.at(-1);
  if (last?.type !== 'error') throw new Error('it did not end early');
  expect(last.problem.requestId).toBeTruthy();
  return [events.length - 1, last.problem.code];
}

test('streams each prediction in order, and says that it is done', async () => {
  const { events } = await ask(3);
  expect(events.map(({ type }) => type)).toEqual([
    'prediction',
    'prediction',
    'prediction',
    'done',
  ]);
  expect(events.at(-1)).toEqual({ type: 'done', predictions: 3 });
  expect(service.calls[0]?.headers.authorization).toBe('Bearer a-token-of-the-right-length');
  expect(Number(service.calls[0]?.headers['x-timeout-ms'])).toBe(TOTAL_MS * 0.9);
});

test('hands each prediction over before the next one is ready', async () => {
  service.answer = silent(1);
  const response = await open(3);
  const reader = (response.body ?? new ReadableStream()).getReader();
  let text = '';
  while (!text.includes('event: prediction')) {
    const { value, done: over } = await reader.read();
    if (over) throw new Error(`it ended after ${text}`);
    text += Buffer.from(value).toString();
  }
  await reader.cancel();
});

test('is for those who may use it', async () => {
  const payload = { instances: [instance()] };
  const anonymous = await running.app.inject({ method: 'POST', url: PATH, payload });
  expect(anonymous.statusCode).toBe(401);
  const viewer = await addMember(running, owner, 'viewer@example.com', 'viewer');
  expect((await viewer.post(PATH, payload)).statusCode).toBe(403);
  expect((await owner.post(PATH, { instances: [[1]] })).statusCode).toBe(400);
  expect(service.calls).toHaveLength(0);
});

describe('before the first event', () => {
  test.each([
    ['is overloaded', problem(503, 'queue_full', { 'retry-after': '7' }), 'ml_overloaded', 1],
    ['fails', problem(500, 'internal_error'), 'ml_failed', 1],
    ['does not stream', predictions, 'ml_bad_answer', 1],
    ['drops the connection', dropped, 'ml_unreachable', 2],
  ])('a service that %s is a problem', async (_name, answer, code, calls) => {
    service.answer = answer;
    const response = await owner.post(PATH, { instances: [instance()] });
    expect(response.statusCode).toBe(503);
    expect(response.headers['content-type']).toContain('application/problem+json');
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
    expect(response.json().code).toBe(code);
    expect(service.calls).toHaveLength(calls);
  });

  test('a service that is frozen is asked a second time, and then a problem', async () => {
    service.answer = frozen;
    const asked = async () => {
      service.calls.length = 0;
      const response = await hasty.owner.post(PATH, { instances: [instance()] });
      return [response.statusCode, response.json().code, service.calls.length];
    };
    // On a busy machine an attempt's time may be over before the service hears of it.
    await expect.poll(asked).toEqual([503, 'ml_timeout', 2]);
  });

  test('opening is tried again', async () => {
    service.answer = inTurn(dropped, streamed());
    expect((await ask()).events.at(-1)?.type).toBe('done');
    expect(service.calls).toHaveLength(2);
  });

  test('more streams than allowed are refused at once', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    service.answer = async (response, body) => {
      await released;
      streamed()(response, body);
    };
    const waiting = [ask(3), ask(3)];
    await expect.poll(() => service.calls.length).toBe(2);
    expect((await owner.post(PATH, { instances: [instance()] })).json().code).toBe('ml_busy');
    release();
    for (const { events } of await Promise.all(waiting)) expect(events.at(-1)?.type).toBe('done');
  });
});

describe('after the first event, nothing is tried again', () => {
  test.each([
    ['that breaks', broken(1), [1, 'ml_unreachable']],
    ['that ends without its last event', ending(2, ''), [2, 'ml_unreachable']],
    ['that falls silent', silent(1), [1, 'ml_timeout']],
    ['of garbage', ending(1, 'data: <html>\n\n'), [1, 'ml_bad_answer']],
    ['of other events', ending(1, 'data: {"type": "more"}\n\n'), [1, 'ml_bad_answer']],
    ['with a gap', ending(1, prediction(2)), [1, 'ml_bad_answer']],
    ['that is done too early', ending(1, done(3)), [1, 'ml_bad_answer']],
    ['of one endless event', ending(1, `data: ${'x'.repeat(2 ** 21)}`), [1, 'ml_bad_answer']],
    [
      'that the service gives up',
      ending(1, failed(504, 'deadline_exceeded')),
      [1, 'ml_overloaded'],
    ],
    ['with a bug', ending(1, failed(500, 'internal_error')), [1, 'ml_failed']],
    ['without an answer', ending(1, failed(422, 'no_finite_answer')), [1, 'no_finite_answer']],
  ])('a stream %s ends with an error', async (_name, answer, expected) => {
    service.answer = answer;
    expect(await ended(3, expected[1] === 'ml_timeout' ? alert : patient)).toEqual(expected);
    expect(service.calls).toHaveLength(1);
  });

  test('the deadline ends a stream that goes on and on', async () => {
    service.answer = streamed(100);
    const [count, code] = await ended(200, brief);
    expect(code).toBe('ml_timeout');
    expect(count).toBeLessThan(200);
    await expect.poll(() => service.calls[0]?.abandoned).toBe(true);
  });

  test('comments keep a slow stream from being idle, and are passed on', async () => {
    service.answer = hesitant(IDLE_MS * 1.5);
    const { events, text } = await ask(1, alert);
    expect(events.map(({ type }) => type)).toEqual(['prediction', 'done']);
    expect(text.match(/^: heartbeat$/gm)?.length).toBeGreaterThan(5);
  });

  test('faults open the circuit, and the circuit closes by itself', async () => {
    service.answer = problem(500, 'internal_error');
    const asked = async () => {
      service.calls.length = 0;
      return [JSON.parse((await ask()).text).code, service.calls.length];
    };
    for (let call = 0; call < 3; call++) expect(await asked()).toEqual(['ml_failed', 1]);
    // On a busy machine it may have closed again by the time of the next question: that fails, too.
    await expect.poll(asked).toEqual(['ml_circuit_open', 0]);
    const single = await owner.post('/api/v1/organizations/acme/predictions', {
      instances: [instance()],
    });
    expect(single.json().code).toBe('ml_failed');
    service.answer = streamed();
    await expect.poll(async () => (await ask()).events.at(-1)?.type).toBe('done');
  });
});

test('a reader that goes away ends the stream at the service', async () => {
  for (const answer of [silent(1), streamed(100)]) {
    service.answer = answer;
    service.calls.length = 0;
    const controller = new AbortController();
    const response = await open(100, patient, controller.signal);
    const reader = (response.body ?? new ReadableStream()).getReader();
    await reader.read();
    controller.abort();
    await expect.poll(() => service.calls[0]?.abandoned).toBe(true);
  }
  service.answer = streamed();
  expect((await ask()).status).toBe(200);
});

test('a reader that does not read holds the service back, and not for ever', async () => {
  const instances = 256;
  const bytes = 250_000;
  let taken = 0;
  service.answer = flood(bytes, (written) => {
    taken += written;
  });
  const response = await open(instances, brief);
  await expect.poll(() => service.calls[0]?.abandoned).toBe(true);
  // What lies between the two has room for a part of it only.
  expect(taken).toBeGreaterThan(0);
  expect(taken).toBeLessThan((instances * bytes) / 2);
  await response.body?.cancel();
});

test('a reader that reads on gets all of it', async () => {
  service.answer = flood(250_000, () => {});
  expect((await ask(64)).events.at(-1)).toEqual({ type: 'done', predictions: 64 });
});

test('what is no stream at all is a problem', async () => {
  service.answer = raw('<html>');
  expect(JSON.parse((await ask()).text).code).toBe('ml_bad_answer');
});

test('where streams are switched off, the route is not there and single calls are', async () => {
  service.answer = predictions;
  const off = await startApp({ env: { ML_URL: service.url, ML_STREAM_ENABLED: 'false' } });
  const { client } = await signUpOwner(off.app, 'acme');
  const payload = { instances: [instance()] };
  const refused = await client.post(PATH, payload);
  expect(refused.statusCode).toBe(404);
  expect(refused.json().code).toBe('switched_off');
  expect(service.calls).toHaveLength(0);
  const single = await client.post('/api/v1/organizations/acme/predictions', payload);
  expect(single.statusCode).toBe(200);
  await off.close();
});
