import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { instance } from '../ml/contract.ts';
import {
  answers,
  freePort,
  PYTHON,
  Running,
  SERVICE,
  signUp,
  startApi,
  temporaryFolder,
} from './processes.ts';

const TOKEN = 'the-token-of-this-run-only';
const INSTANCES = 200;
/** The service itself, with a model that takes its time over each batch. */
const SLOW = `
import time
from ml.cli import main
from ml.model import Model

run = Model.run

def slowly(self, rows):
    time.sleep(0.05)
    return run(self, rows)

Model.run = slowly
main(["serve"])
`;

const data = temporaryFolder();
let port: number;
let service: Running;
let api: Running;
let cookie: string;

beforeAll(async () => {
  port = await freePort();
  service = await startSlowly();
  api = await startApi(await freePort(), service.url, {
    DATA_DIR: data.path,
    ML_SERVICE_TOKEN: TOKEN,
    ML_STREAM_ENABLED: 'true',
    ML_ATTEMPT_TIMEOUT_MS: '30000',
    ML_STREAM_TIMEOUT_MS: '300000',
    ML_STREAM_IDLE_MS: '5000',
    ML_BREAKER_OPEN_MS: '500',
  });
  cookie = await signUp(api.url);
});

afterAll(async () => {
  await api?.stop();
  await service?.stop();
  data.remove();
});

function startSlowly(): Promise<Running> {
  const env = {
    ML_PORT: String(port),
    ML_SERVICE_TOKEN: TOKEN,
    ML_MAX_BATCH: '1',
    ML_STREAM_HEARTBEAT_SECONDS: '0.02',
  };
  return new Running(`http://127.0.0.1:${port}`, PYTHON, ['-c', SLOW], SERVICE, env).ready();
}

/** The text of a stream as it comes. */
async function* stream(count: number, signal: AbortSignal | null = null) {
  const response = await fetch(`${api.url}/api/v1/organizations/acme/predictions/stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', cookie },
    body: JSON.stringify({ instances: Array(count).fill(instance()) }),
    signal,
  });
  if (!response.ok) throw new Error(await response.text());
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) yield decoder.decode(chunk, { stream: true });
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  const line = text.split('\n').find((line) => line.startsWith(`${name} `));
  return Number(line?.split(' ')[1] ?? 0);
}

test('every prediction comes, and comments in between', async () => {
  let text = '';
  for await (const part of stream(5)) text += part;
  expect(text.match(/^event: prediction$/gm)).toHaveLength(5);
  expect(text).toContain(': heartbeat\n\n');
  expect(text).toMatch(/event: done\ndata: {"type":"done","predictions":5}\n\n$/);
});

test('a prediction comes before the others are ready; a reader that goes away stops the service', async () => {
  const before = await metric('ml_batch_rows_sum');
  const controller = new AbortController();
  let text = '';
  const reading = async () => {
    for await (const part of stream(INSTANCES, controller.signal)) {
      text += part;
      if (text.includes('event: prediction')) controller.abort();
    }
  };
  await expect(reading()).rejects.toThrow(/abort/i);
  await expect.poll(() => metric('ml_streams_open')).toBe(0);
  const working = async () => {
    const worked = await metric('ml_batch_rows_sum');
    await sleep(500);
    return (await metric('ml_batch_rows_sum')) - worked;
  };
  await expect.poll(working).toBe(0);
  expect((await metric('ml_batch_rows_sum')) - before).toBeLessThan(INSTANCES);
  expect(await metric('ml_streams_ended_total{outcome="abandoned"}')).toBe(1);
});

test.each([
  ['frozen', 'SIGSTOP', 'ml_timeout'],
  ['killed', 'SIGKILL', 'ml_unreachable'],
] as const)(
  '%s in the middle: the stream says so, and the API stays live',
  async (_name, signal, code) => {
    let text = '';
    for await (const part of stream(INSTANCES)) {
      if (text === '' && part.includes('event: prediction')) service.signal(signal);
      if (part.includes('event: prediction')) text += part;
      else if (part.includes('event: error')) text += part;
    }
    expect(text).toContain('event: error');
    expect(text).toContain(`"code":"${code}"`);
    expect(await answers(`${api.url}/livez`)).toBe(true);
    await service.stop();
    service = await startSlowly();
    const again = async () => {
      let all = '';
      for await (const part of stream(2)) all += part;
      return all;
    };
    await expect.poll(() => again().catch(String), { timeout: 120_000 }).toContain('event: done');
  },
);
