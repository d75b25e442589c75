import { globSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Prometheus } from '../../src/metrics/prometheus.ts';
import { type Client, ORIGIN, signUpOwner, startApp, type TestApp } from '../support/app.ts';
import {
  breaking,
  END,
  ending,
  FakeModel,
  finish,
  PROMPT_TOKENS,
  piece,
  refusing,
  saying,
  silentAfter,
} from './fake-model.ts';

const PATH = '/api/v1/organizations/acme/generate';
const QUESTION = { messages: [{ role: 'user', content: '12345678' }] };
const JSON_TYPE = 'application/json';
/** For two questions at once, and not for a third. */
const LIMIT = 200;

const model = new FakeModel();
const metrics = new Prometheus();
let running: TestApp;
let owner: Client;
let address: string;

beforeAll(async () => {
  await model.start();
  running = await startApp({
    metrics,
    env: {
      GENERATE_URL: model.url,
      GENERATE_MODEL: 'a-model',
      GENERATE_MAX_TOKENS: '50',
      GENERATE_FIRST_TOKEN_MS: '300000',
      GENERATE_NEXT_TOKEN_MS: '300000',
      GENERATE_TIMEOUT_MS: '600000',
      GENERATE_MONTHLY_TOKENS: `${LIMIT}`,
      GENERATE_MAX_CONCURRENCY: '1',
      GENERATE_BREAKER_FAILURES: '3',
      GENERATE_BREAKER_OPEN_MS: '600000',
    },
  });
  ({ client: owner } = await signUpOwner(running.app, 'acme'));
  await running.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = running.app.server.address() as AddressInfo;
  address = `http://127.0.0.1:${port}`;
});
afterAll(async () => {
  await model.kill();
  await running.close();
});

/** What there was at the beginning of a test, by name and labels. */
let before: Map<string, number>;
beforeEach(async () => {
  model.speech = saying('Hello', ' there');
  before = await scrape();
});

async function scrape(): Promise<Map<string, number>> {
  const lines = (await metrics.scrape()).split('\n').filter((line) => line.startsWith('generate_'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))] as const;
    }),
  );
}

/** By how much these have grown meanwhile; all others have not. */
async function grown(): Promise<Record<string, number>> {
  const now = [...(await scrape())].filter(([name]) => !/_bucket|_sum/.test(name));
  const by = now.map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(by.filter(([, value]) => value !== 0));
}

const outcome = (name: string) => `generate_requests_total{outcome="${name}"}`;
const tokens = (kind: string) => `generate_tokens_total{kind="${kind}"}`;
const became = (expected: Record<string, number>) => expect.poll(grown).toEqual(expected);

const post = () => owner.post(PATH, QUESTION);
const postForJson = () =>
  owner.send('POST', PATH, { payload: QUESTION, headers: { accept: JSON_TYPE } });

test('an answer is counted with its tokens, and how long it took to begin and to end', async () => {
  const begun = performance.now();
  await post();
  await postForJson();
  const seconds = (performance.now() - begun) / 1_000;
  await became({
    [outcome('answered')]: 2,
    generate_first_token_seconds_count: 2,
    generate_answer_seconds_count: 2,
    [tokens('prompt')]: 2 * PROMPT_TOKENS,
    [tokens('completion')]: 2 * 2,
  });
  const now = await scrape();
  const first = now.get('generate_first_token_seconds_sum') ?? 0;
  const whole = now.get('generate_answer_seconds_sum') ?? 0;
  expect(first).toBeGreaterThan(0);
  expect(whole).toBeGreaterThanOrEqual(first);
  expect(seconds).toBeGreaterThanOrEqual(whole);
});

test('what the model does not take is refused, and takes no time', async () => {
  model.speech = refusing(400);
  await post();
  await became({ [outcome('refused')]: 1 });
});

test('whoever goes away has begun an answer, and pays for it', async () => {
  model.speech = silentAfter(piece('1234'));
  const controller = new AbortController();
  const response = await fetch(address + PATH, {
    method: 'POST',
    headers: { 'content-type': JSON_TYPE, origin: ORIGIN, cookie: owner.cookie },
    body: JSON.stringify(QUESTION),
    signal: controller.signal,
  });
  const reader = (response.body ?? new ReadableStream()).getReader();
  let text = '';
  while (!text.includes('event: delta')) text += Buffer.from((await reader.read()).value);
  controller.abort();
  await became({
    [outcome('abandoned')]: 1,
    generate_first_token_seconds_count: 1,
    [tokens('prompt')]: 2,
    [tokens('completion')]: 1,
  });
});

test('those beyond the places and beyond the quota are told apart', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  model.calls.length = 0;
  model.speech = async (response) => {
    await released;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(piece('x') + finish() + END);
  };
  const first = post();
  await expect.poll(() => model.calls.length).toBe(1);
  // While the first is held back, there is room for one more.
  await post();
  await became({ [outcome('busy')]: 1 });
  const large = { messages: [{ role: 'user', content: 'x'.repeat(LIMIT) }] };
  expect((await owner.post(PATH, large)).statusCode).toBe(429);
  release();
  await first;
  await became({
    [outcome('answered')]: 1,
    [outcome('busy')]: 1,
    [outcome('over_quota')]: 1,
    generate_first_token_seconds_count: 1,
    generate_answer_seconds_count: 1,
    [tokens('prompt')]: 2,
    [tokens('completion')]: 1,
  });
});

/** The last one: the circuit stays open. */
test('failures are counted by their code, also in the middle of an answer, and the circuit is shown', async () => {
  const circuit = async () => {
    const now = await scrape();
    return ['closed', 'open', 'half-open'].map((state) =>
      now.get(`generate_circuit{state="${state}"}`),
    );
  };
  expect(await circuit()).toEqual([1, 0, 0]);
  model.speech = breaking(piece('1234'));
  await post();
  model.speech = ending(piece('1234'));
  await postForJson();
  model.speech = refusing(500);
  for (let question = 0; question < 3; question++) await post();
  expect(await circuit()).toEqual([0, 1, 0]);
  await became({
    [outcome('failed')]: 2,
    [outcome('unreachable')]: 2,
    [outcome('circuit_open')]: 1,
    generate_first_token_seconds_count: 2,
    [tokens('prompt')]: 2,
    [tokens('completion')]: 1,
    'generate_circuit{state="closed"}': -1,
    'generate_circuit{state="open"}': 1,
  });
});

test('there is everything that the dashboard and the alerts ask for, and no label of anybody’s', async () => {
  const cwd = fileURLToPath(new URL('../../../../monitoring', import.meta.url));
  const files = globSync('*-generate.{json,yaml}', { cwd });
  const asked = files.flatMap(
    (file) => readFileSync(join(cwd, file), 'utf8').match(/\bgenerate_\w+/g) ?? [],
  );
  const names = [...(await scrape()).keys()];
  const there = names.map((name) => name.replace(/\{.*/, ''));
  expect(asked.filter((name) => !there.includes(name))).toEqual([]);
  expect(asked.length >= 5 || files.length < 2).toBe(true);
  const labels = names.flatMap((name) => [...name.matchAll(/(\w+)="/g)].map(([, label]) => label));
  expect(new Set(labels)).toEqual(new Set(['outcome', 'kind', 'state', 'le']));
});

test('nothing is counted where no model is named', async () => {
  const own = new Prometheus();
  const off = await startApp({ metrics: own, env: {} });
  expect(await own.scrape()).not.toContain('generate_');
  await off.close();
});
