import { ProblemError } from '../../http/problems.ts';
import { type FailureOptions, UnavailableError } from '../ml/failures.ts';

const FAULT = { isFault: true };
// As with predictions: a model that has too much to do is well.
const NO_FAULT = { isFault: false };

const FAILURES = {
  generate_unreachable: {
    ...FAULT,
    detail: 'The language model cannot be reached, or has hung up',
  },
  generate_timeout: { ...FAULT, detail: 'The language model did not answer in time' },
  generate_failed: { ...FAULT, detail: 'The language model failed' },
  generate_bad_answer: {
    ...FAULT,
    detail: 'The language model gave an answer that makes no sense',
  },
  generate_overloaded: { ...NO_FAULT, detail: 'The language model has too much to do' },
  generate_busy: { ...NO_FAULT, detail: 'Too many answers are being waited for' },
  generate_circuit_open: {
    ...NO_FAULT,
    detail: 'The language model has failed repeatedly and is left alone for a moment',
  },
  generate_misconfigured: {
    ...NO_FAULT,
    detail: 'The language model is not there, or refuses our credentials',
  },
};

type FailureCode = keyof typeof FAILURES;
export const FAILURE_CODES = Object.keys(FAILURES) as FailureCode[];

/** With these codes there was no connection, so nothing was sent. */
const NOT_CONNECTED = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'];

/** There is no answer of the model's now. The cause may be logged: no text of anybody's belongs into it. */
export class GenerateUnavailableError extends UnavailableError {
  override readonly name = 'GenerateUnavailableError';
  readonly code: FailureCode;
  readonly isFault: boolean;
  /** A model that may have the prompt is not given it again: it would work, and be paid, for both. */
  readonly isRetryable: boolean;

  constructor(code: FailureCode, options: FailureOptions = {}) {
    super(FAILURES[code].detail, options);
    this.code = code;
    this.isFault = FAILURES[code].isFault;
    this.isRetryable = NOT_CONNECTED.includes(codeOf(options.cause));
  }
}

/** The caller's to know, such as a prompt that is too long, and nobody's failure. */
export class GenerateRefusedError extends ProblemError {
  /** The model's. */
  readonly status: number;

  constructor(status: number, detail = 'The language model does not take this') {
    super(422, 'generate_refused', detail);
    this.status = status;
  }
}

/** Of the error below that of `fetch`, which has none. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}

/** The reason is for the log. */
export function badAnswer(reason: string): GenerateUnavailableError {
  return new GenerateUnavailableError('generate_bad_answer', { cause: new Error(reason) });
}
