import { STATUS_CODES } from 'node:http';
import type { JobProblem } from '@app/contracts';
import { sqlState as errorCode } from '../../db/errors.ts';
import { ProblemError } from '../../http/problems.ts';
import { MlUnavailableError } from '../ml/failures.ts';
import type { Outcome } from './queue.ts';
import type { JobSettings } from './settings.ts';

const LONGEST_DELAY_MS = 600_000;
/** Nobody was asked, so nothing was tried. */
const NEVER_REACHED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** What an attempt's failure means for its job. */
export function judge(
  error: unknown,
  attempts: number,
  settings: JobSettings,
  random = Math.random,
): Outcome {
  if (error instanceof ProblemError) {
    return { kind: 'failed', problem: problem(error.statusCode, error.code, error.message) };
  }
  if (error instanceof MlUnavailableError && isBackPressure(error)) {
    // Jittered upwards, not to come before the service has asked for it: unless it asks for hours.
    const delayMs = error.retryAfter * 1000 * (1 + random() / 2);
    return { kind: 'postponed', delayMs: Math.min(delayMs, LONGEST_DELAY_MS) };
  }
  if (attempts >= settings.ML_JOBS_MAX_ATTEMPTS) return { kind: 'failed', problem: reason(error) };
  return { kind: 'retried', delayMs: backoff(attempts, settings.ML_JOBS_BACKOFF_MS, random) };
}

/** Whether the service was not there or not free, which is no fault of the job's. */
function isBackPressure(error: MlUnavailableError): boolean {
  return !error.isFault || NEVER_REACHED.has(errorCode(error.cause) ?? '');
}

export function problem(status: number, code: string, detail: string): JobProblem {
  return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, code, detail };
}

function reason(error: unknown): JobProblem {
  return error instanceof MlUnavailableError
    ? problem(503, error.code, error.message)
    : problem(500, 'internal_error', 'Something went wrong on our side');
}

/** Doubles with each attempt, between half and all of it, so that failed jobs do not come back in step. */
function backoff(attempts: number, first: number, random: () => number): number {
  return Math.min(first * 2 ** (attempts - 1), LONGEST_DELAY_MS) * (0.5 + random() / 2);
}
