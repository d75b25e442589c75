import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { ProblemError } from '../../src/http/problems.ts';
import { createMlClient, type MlClient } from '../../src/modules/ml/client.ts';
import { CallerGoneError, MlUnavailableError } from '../../src/modules/ml/failures.ts';
import { settings } from '../../src/modules/ml/settings.ts';
import { createTransport } from '../../src/modules/ml/transport.ts';
import { instance } from './contract.ts';
import {
  dribbling,
  dropped,
  FakeMl,
  frozen,
  inTurn,
  predictions,
  problem,
  raw,
  slow,
} from './fake-ml.ts';

const ATTEMPT_MS = 300_000;
const TOTAL_MS = 500_000;
const OPEN_MS = 600_000;
/** For a service that does not answer: the others may, however busy the machine is. */
const HASTY = { ML_ATTEMPT_TIMEOUT_MS: '500' };

const service = new FakeMl();
const states: string[] = [];
/** As often as the client has tried; on a busy machine the time may be over before the service hears of it. */
let attempts = 0;
let client: MlClient;

beforeEach(async () => {
  service.answer = predictions;
  service.calls.length = 0;
  states.length = 0;
  attempts = 0;
  await service.start();
  client = createClient();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await service.kill();
});

function createClient(env: Record<string, string> = {}): MlClient {
  const parsed = z.object(settings).parse({
    ML_URL: service.url,
    ML_ATTEMPT_TIMEOUT_MS: String(ATTEMPT_MS),
    ML_TOTAL_TIMEOUT_MS: String(TOTAL_MS),
    ML_BREAKER_FAILURES: '3',
    ML_BREAKER_OPEN_MS: String(OPEN_MS),
    ...env,
  });
  const transport = createTransport(parsed);
  return createMlClient(
    parsed,
    (state) => states.push(state),
    (...call) => {
      attempts += 1;
      return transport(...call);
    },
  );
}

/** Lets the time go by for which the circuit stays open. */
function untilHalfOpen(): void {
  const later = Date.now() + OPEN_MS;
  vi.spyOn(Date, 'now').mockReturnValue(later);
}

function predict(signal: AbortSignal = new AbortController().signal) {
  const caller = { requestId: 'r-1', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
  return client.predict({ instances: [instance()] }, { ...caller, signal });
}

async function failure(call: Promise<unknown> = predict()): Promise<MlUnavailableError> {
  const error = await call.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );
  if (!(error instanceof MlUnavailableError)) throw error;
  return error;
}

async function failTimes(times: number): Promise<string[]> {
  const codes: string[] = [];
  for (let call = 0; call < times; call++) codes.push((await failure()).code);
  return codes;
}

test('gives the predictions', async () => {
  const answer = await predict();
  expect(answer.predictions).toHaveLength(1);
  expect(answer.model).toEqual({ name: 'fake', version: '1' });
});

test('sends the deadline, the ids and the token', async () => {
  client = createClient({ ML_SERVICE_TOKEN: 'a-token-of-the-right-length' });
  await predict();
  const headers = service.calls[0]?.headers ?? {};
  expect(headers['x-request-id']).toBe('r-1');
  expect(headers.traceparent).toContain('a'.repeat(32));
  expect(headers.authorization).toBe('Bearer a-token-of-the-right-length');
  expect(Number(headers['x-timeout-ms'])).toBeGreaterThan(0);
  expect(Number(headers['x-timeout-ms'])).toBeLessThanOrEqual(ATTEMPT_MS);
});

describe('a service that cannot answer', () => {
  test('is asked once more when it dropped the connection', async () => {
    service.answer = inTurn(dropped, predictions);
    await predict();
    expect(service.calls).toHaveLength(2);
  });

  test('is not asked a third time', async () => {
    service.answer = dropped;
    expect((await failure()).code).toBe('ml_unreachable');
    expect(service.calls).toHaveLength(2);
  });

  test('is given up when it is frozen, after a second attempt', async () => {
    client = createClient(HASTY);
    service.answer = frozen;
    expect((await failure()).code).toBe('ml_timeout');
    expect(attempts).toBe(2);
  });

  test('is given what is left of the total deadline', async () => {
    const now = performance.now.bind(performance);
    service.answer = inTurn((response, body) => {
      vi.spyOn(performance, 'now').mockImplementation(() => now() + TOTAL_MS * 0.9);
      dropped(response, body);
    }, predictions);
    await predict();
    const [first, second] = service.calls.map(({ headers }) => Number(headers['x-timeout-ms']));
    expect(first).toBeGreaterThan(TOTAL_MS * 0.1);
    expect(second).toBeLessThanOrEqual(TOTAL_MS * 0.1);
  });

  test.each([
    ['slow', slow(5_000)],
    ['dribbling', dribbling],
  ])('is given up when it is %s, even after the headers', async (_name, answer) => {
    client = createClient(HASTY);
    service.answer = answer;
    expect((await failure()).code).toBe('ml_timeout');
  });

  test('is unreachable when nothing listens, and used again when it is back', async () => {
    await service.kill();
    expect((await failure()).code).toBe('ml_unreachable');
    await service.start();
    await predict();
  });

  test.each([
    ['not JSON', '<html>'],
    ['not an object', 'null'],
    ['of another form', '{"predictions": [{"nothing": 1}], "model": {}}'],
    ['empty', ''],
  ])('gives a bad answer that is %s: not repeated', async (_name, body) => {
    service.answer = raw(body);
    expect((await failure()).code).toBe('ml_bad_answer');
    expect(service.calls).toHaveLength(1);
  });
});

describe('the circuit', () => {
  test('opens after faults in a row, spares the service, and closes by itself', async () => {
    service.answer = problem(500, 'internal_error');
    expect(await failTimes(3)).toEqual(['ml_failed', 'ml_failed', 'ml_failed']);
    const open = await failure();
    expect(open.code).toBe('ml_circuit_open');
    expect(open.retryAfter).toBe(OPEN_MS / 1_000);
    expect(service.calls).toHaveLength(3);

    service.answer = predictions;
    untilHalfOpen();
    await predict();
    expect(states).toEqual(['open', 'half-open', 'closed']);
  });

  test('stays open while the service stays broken', async () => {
    service.answer = problem(500, 'internal_error');
    await failTimes(3);
    untilHalfOpen();
    expect(await failTimes(2)).toEqual(['ml_failed', 'ml_circuit_open']);
  });

  test.each([503, 504, 429])(
    'does not count back-pressure (%i), nor is it retried',
    async (status) => {
      service.answer = problem(status, 'queue_full', { 'retry-after': '7' });
      const error = await failure();
      expect([error.code, error.retryAfter]).toEqual(['ml_overloaded', 7]);
      await failTimes(9);
      expect(client.state).toBe('closed');
      expect(service.calls).toHaveLength(10);
    },
  );

  test('does not count a refused token: repeating would not help', async () => {
    service.answer = problem(401, 'unauthorized');
    expect(await failTimes(4)).toEqual(Array(4).fill('ml_misconfigured'));
    expect(client.state).toBe('closed');
  });

  test('does not count input that the service refuses', async () => {
    service.answer = problem(422, 'no_finite_answer');
    for (let call = 0; call < 4; call++) {
      const error = await predict().catch((error: unknown) => error);
      expect(error).toBeInstanceOf(ProblemError);
      expect(error).toMatchObject({ statusCode: 422, code: 'no_finite_answer' });
    }
    expect(client.state).toBe('closed');
  });
});

test('more calls at once than allowed are refused without waiting', async () => {
  client = createClient({ ML_MAX_CONCURRENCY: '2' });
  service.answer = slow(100);
  let answered = 0;
  const waiting = [predict(), predict()].map((each) => each.finally(() => answered++));
  expect((await failure()).code).toBe('ml_busy');
  expect(answered).toBe(0);
  await Promise.all(waiting);
});

test('a caller that goes away ends the call at the service and counts as nothing', async () => {
  service.answer = frozen;
  for (let call = 0; call < 4; call++) {
    const controller = new AbortController();
    const prediction = predict(controller.signal);
    await expect.poll(() => service.calls.length).toBe(call + 1);
    controller.abort();
    await expect(prediction).rejects.toBeInstanceOf(CallerGoneError);
    await expect.poll(() => service.calls[call]?.abandoned).toBe(true);
  }
  expect(client.state).toBe('closed');
});
