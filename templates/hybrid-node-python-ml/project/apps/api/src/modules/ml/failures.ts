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

interface Consequences {
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

/** There is no prediction now; there may be one after `retryAfter` seconds. */
export class MlUnavailableError extends Error {
  override readonly name = 'MlUnavailableError';
  readonly code: FailureCode;
  readonly retryAfter: number;

  constructor(code: FailureCode, options: { retryAfter?: number; cause?: unknown } = {}) {
    super(DETAILS[code], { cause: options.cause });
    this.code = code;
    this.retryAfter = options.retryAfter ?? 1;
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
