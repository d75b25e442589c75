import { expect, test } from 'vitest';
import { z } from 'zod';
import { ProblemError } from '../../src/http/problems.ts';
import { judge } from '../../src/modules/jobs/judge.ts';
import { settings } from '../../src/modules/jobs/settings.ts';
import { MlUnavailableError } from '../../src/modules/ml/failures.ts';

const defaults = z.object(settings).parse({});
const refused = new TypeError('fetch failed', {
  cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }),
});
const reset = new TypeError('fetch failed', {
  cause: Object.assign(new Error(), { code: 'ECONNRESET' }),
});
const unroutable = new TypeError('fetch failed', {
  cause: Object.assign(new Error(), { code: 'UND_ERR_CONNECT_TIMEOUT' }),
});
const least = () => 0;
const most = () => 1;

test.each([
  ['overload', new MlUnavailableError('ml_overloaded', { retryAfter: 7 }), 7_000, 10_500],
  ['an open circuit', new MlUnavailableError('ml_circuit_open', { retryAfter: 2 }), 2_000, 3_000],
  ['nobody listening', new MlUnavailableError('ml_unreachable', { cause: refused }), 1_000, 1_500],
  ['no way', new MlUnavailableError('ml_unreachable', { cause: unroutable }), 1_000, 1_500],
])('%s costs no attempt, not even the last one', (_name, error, earliest, latest) => {
  expect(judge(error, 99, defaults, least)).toEqual({ kind: 'postponed', delayMs: earliest });
  expect(judge(error, 99, defaults, most)).toEqual({ kind: 'postponed', delayMs: latest });
});

test.each([
  [1, 2_500, 5_000],
  [2, 5_000, 10_000],
  [5, 40_000, 80_000],
])(
  'after failure %i the pause is between %i and %i milliseconds',
  (attempts, shortest, longest) => {
    const error = new MlUnavailableError('ml_unreachable', { cause: reset });
    expect(judge(error, attempts, defaults, least)).toEqual({ kind: 'retried', delayMs: shortest });
    expect(judge(error, attempts, defaults, most)).toEqual({ kind: 'retried', delayMs: longest });
  },
);

test('no pause is longer than ten minutes', () => {
  const patient = { ...defaults, ML_JOBS_MAX_ATTEMPTS: 1_000 };
  const error = new MlUnavailableError('ml_timeout');
  expect(judge(error, 500, patient, most)).toEqual({ kind: 'retried', delayMs: 600_000 });
  const overload = new MlUnavailableError('ml_overloaded', { retryAfter: 86_400 });
  expect(judge(overload, 1, patient, least)).toEqual({ kind: 'postponed', delayMs: 600_000 });
});

test.each([
  [new MlUnavailableError('ml_timeout'), 503, 'ml_timeout'],
  [new Error('a bug'), 500, 'internal_error'],
])('the last attempt fails the job with the reason: %s', (error, status, code) => {
  const outcome = judge(error, defaults.ML_JOBS_MAX_ATTEMPTS, defaults);
  expect(outcome).toMatchObject({ kind: 'failed', problem: { status, code } });
});

test('what the service refuses is never tried again', () => {
  const outcome = judge(new ProblemError(422, 'invalid_request', 'No'), 1, defaults);
  expect(outcome).toEqual({
    kind: 'failed',
    problem: {
      type: 'about:blank',
      title: 'Unprocessable Entity',
      status: 422,
      code: 'invalid_request',
      detail: 'No',
    },
  });
});
