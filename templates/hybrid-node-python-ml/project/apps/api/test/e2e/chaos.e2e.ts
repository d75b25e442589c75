import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { instance } from '../ml/contract.ts';
import {
  answers,
  freePort,
  type Running,
  signUp,
  startApi,
  startService,
  temporaryFolder,
} from './processes.ts';

const TOKEN = 'the-token-of-this-run-only';
const ATTEMPT_MS = 1_500;
const TOTAL_MS = 3_500;
/** What a busy machine may add: a service that is frozen or away would never answer. */
const SLACK_MS = 30_000;

const data = temporaryFolder();
let port: number;
let service: Running;
let api: Running;
let cookie: string;

beforeAll(async () => {
  port = await freePort();
  service = await startService(port, { ML_SERVICE_TOKEN: TOKEN });
  api = await startApi(await freePort(), service.url, {
    DATA_DIR: data.path,
    ML_SERVICE_TOKEN: TOKEN,
    ML_ATTEMPT_TIMEOUT_MS: String(ATTEMPT_MS),
    ML_TOTAL_TIMEOUT_MS: String(TOTAL_MS),
    ML_BREAKER_OPEN_MS: '1000',
  });
  cookie = await signUp(api.url);
});

afterAll(async () => {
  await api?.stop();
  await service?.stop();
  data.remove();
});

interface Outcome {
  readonly status: number;
  readonly code: string;
  readonly retryAfter: string | null;
  readonly milliseconds: number;
}

async function ask(): Promise<Outcome> {
  const started = performance.now();
  const response = await fetch(`${api.url}/api/v1/organizations/acme/predictions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie, 'x-request-id': 'e2e' },
    body: JSON.stringify({ instances: [instance()] }),
  });
  const body = (await response.json()) as { code?: string };
  return {
    status: response.status,
    code: body.code ?? '',
    retryAfter: response.headers.get('retry-after'),
    milliseconds: performance.now() - started,
  };
}

/** Every answer comes in time, says why there is no prediction, and leaves the API live. */
async function survive(expected: string[]): Promise<void> {
  const codes = new Set<string>();
  for (let round = 0; round < 8; round++) {
    const [outcome] = await Promise.all([ask(), expectLive()]);
    expect(outcome.status).toBe(503);
    expect(Number(outcome.retryAfter)).toBeGreaterThan(0);
    expect(outcome.milliseconds).toBeLessThan(TOTAL_MS + SLACK_MS);
    codes.add(outcome.code);
  }
  expect([...codes]).toEqual(expect.arrayContaining(expected));
  // On a busy machine an attempt's time may be over before the service has answered.
  expect([...expected, 'ml_timeout']).toEqual(expect.arrayContaining([...codes]));
}

async function expectLive(): Promise<void> {
  expect(await answers(`${api.url}/livez`)).toBe(true);
}

async function recovered(): Promise<void> {
  await expect
    .poll(async () => (await ask()).status, { timeout: 120_000, interval: 100 })
    .toBe(200);
}

test('the service predicts, and logs the id of the request', async () => {
  await recovered();
  await expect.poll(() => service.output.join('')).toContain('"request_id": "e2e"');
});

test('frozen: answers in time, then without asking; thawed: recovers by itself', async () => {
  await recovered();
  service.signal('SIGSTOP');
  await survive(['ml_circuit_open', 'ml_timeout']);
  service.signal('SIGCONT');
  await recovered();
});

test('slow: each answer is a prediction or says why not; quick again: recovers by itself', async () => {
  await recovered();
  let isSlow = true;
  const slowness = (async () => {
    // A sliver of time between pauses that are longer than all attempts.
    while (isSlow) {
      service.signal('SIGSTOP');
      await sleep(TOTAL_MS + 100);
      service.signal('SIGCONT');
      await sleep(20);
    }
  })();
  const statuses: number[] = [];
  for (let round = 0; round < 8; round++) {
    const [outcome] = await Promise.all([ask(), expectLive()]);
    expect(outcome.milliseconds).toBeLessThan(TOTAL_MS + SLACK_MS);
    if (outcome.status !== 200) expect(outcome.code).toMatch(/^ml_/);
    statuses.push(outcome.status);
  }
  isSlow = false;
  await slowness;
  expect(statuses).toContain(503);
  await recovered();
});

test('killed: says so; restarted: recovers by itself', async () => {
  await recovered();
  await service.stop('SIGKILL');
  await survive(['ml_circuit_open', 'ml_unreachable']);
  service = await startService(port, { ML_SERVICE_TOKEN: TOKEN });
  await recovered();
});

test('restarted in good order under load: every answer is a prediction or says why not', async () => {
  await recovered();
  const outcomes: Promise<Outcome>[] = [];
  const restarted = service.stop().then(async (code) => {
    service = await startService(port, { ML_SERVICE_TOKEN: TOKEN });
    return code;
  });
  for (let round = 0; round < 30; round++) {
    outcomes.push(ask());
    await sleep(50);
  }
  expect(await restarted).toBe(0);
  for (const { status, code } of await Promise.all(outcomes)) {
    if (status !== 200) expect(code).toMatch(/^ml_/);
  }
  await recovered();
});

test('replaced by something that answers garbage: says so; back again: recovers', async () => {
  await recovered();
  await service.stop();
  const impostor = createServer((_request, response) => response.end('{"predictions": "yes"}'));
  await new Promise<void>((resolve) => impostor.listen(port, '127.0.0.1', resolve));
  await sleep(1_100);
  await survive(['ml_bad_answer', 'ml_circuit_open']);
  impostor.closeAllConnections();
  await new Promise((resolve) => impostor.close(resolve));
  service = await startService(port, { ML_SERVICE_TOKEN: TOKEN });
  await recovered();
});

test('refusing our token: says so, and the circuit stays closed', async () => {
  await recovered();
  await service.stop();
  service = await startService(port, { ML_SERVICE_TOKEN: 'quite-another-token' });
  await expect.poll(async () => (await ask()).code, { timeout: 120_000 }).toBe('ml_misconfigured');
  await survive(['ml_misconfigured']);
  await service.stop();
  service = await startService(port, { ML_SERVICE_TOKEN: TOKEN, ML_SERVICE_TOKEN_PREVIOUS: TOKEN });
  await recovered();
});
