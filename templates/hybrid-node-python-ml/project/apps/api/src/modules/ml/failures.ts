/** Why there is no prediction, for programs: the `code` of the problem. */
export type FailureCode =
  | 'ml_unreachable'
  | 'ml_timeout'
  | 'ml_failed'
  | 'ml_bad_answer'
  | 'ml_overloaded'
  | 'ml_busy'
  | 'ml_circuit_open'
  | 'ml_misconfigured';

export interface Consequences {
  /** Counts towards opening the circuit. */
  readonly isFault: boolean;
  /** Another attempt may well succeed. */
  readonly isRetryable: boolean;
}

// Back-pressure is the service doing well: retrying into it or opening the circuit because of it
// would turn an overload into an outage.
const CONSEQUENCES: Readonly<Record<FailureCode, Consequences>> = {
  ml_unreachable: { isFault: true, isRetryable: true },
  ml_timeout: { isFault: true, isRetryable: true },
  ml_failed: { isFault: true, isRetryable: false },
  ml_bad_answer: { isFault: true, isRetryable: false },
  ml_overloaded: { isFault: false, isRetryable: false },
  ml_busy: { isFault: false, isRetryable: false },
  ml_circuit_open: { isFault: false, isRetryable: false },
  ml_misconfigured: { isFault: false, isRetryable: false },
};

const DETAILS: Readonly<Record<FailureCode, string>> = {
  ml_unreachable: 'The prediction service cannot be reached',
  ml_timeout: 'The prediction service did not answer in time',
  ml_failed: 'The prediction service failed',
  ml_bad_answer: 'The prediction service gave an answer that makes no sense',
  ml_overloaded: 'The prediction service has too much to do',
  ml_busy: 'Too many predictions are being waited for',
  ml_circuit_open: 'The prediction service has failed repeatedly and is left alone for a moment',
  ml_misconfigured: 'The prediction service refuses our credentials',
};

export interface FailureOptions {
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

/** What is called does not answer now; it may after `retryAfter` seconds. */
export abstract class UnavailableError extends Error implements Consequences {
  abstract readonly code: string;
  abstract readonly isFault: boolean;
  abstract readonly isRetryable: boolean;
  readonly retryAfter: number;

  constructor(detail: string, { cause, retryAfter = 1 }: FailureOptions = {}) {
    super(detail, { cause });
    this.retryAfter = retryAfter;
  }
}

/** There is no prediction now. */
export class MlUnavailableError extends UnavailableError {
  override readonly name = 'MlUnavailableError';
  readonly code: FailureCode;

  constructor(code: FailureCode, options: FailureOptions = {}) {
    super(DETAILS[code], options);
    this.code = code;
  }

  get isFault(): boolean {
    return CONSEQUENCES[this.code].isFault;
  }

  get isRetryable(): boolean {
    return CONSEQUENCES[this.code].isRetryable;
  }
}

/** Whoever asked has gone: nothing failed, and nobody waits for an answer. */
export class CallerGoneError extends Error {
  override readonly name = 'CallerGoneError';
}
