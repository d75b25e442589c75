import { type Consequences, type FailureOptions, UnavailableError } from '../ml/failures.ts';

interface Failure extends Consequences {
  readonly detail: string;
}

const FAULT = { isFault: true, isRetryable: false };
// As with predictions: a model that has too much to do is well.
const NO_FAULT = { isFault: false, isRetryable: false };

const FAILURES = {
  generate_unreachable: {
    isFault: true,
    isRetryable: true,
    detail: 'The language model cannot be reached, or has hung up',
  },
  // Not tried again: it has worked on the prompt, and would do so twice.
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
} satisfies Record<string, Failure>;

/** There is no answer of the model's now. The cause may be logged: no text of anybody's belongs into it. */
export class GenerateUnavailableError extends UnavailableError {
  override readonly name = 'GenerateUnavailableError';
  readonly code: keyof typeof FAILURES;
  readonly isFault: boolean;
  readonly isRetryable: boolean;

  constructor(code: keyof typeof FAILURES, options: FailureOptions = {}) {
    super(FAILURES[code].detail, options);
    this.code = code;
    this.isFault = FAILURES[code].isFault;
    this.isRetryable = FAILURES[code].isRetryable;
  }
}

/** The reason is for the log. */
export function badAnswer(reason: string): GenerateUnavailableError {
  return new GenerateUnavailableError('generate_bad_answer', { cause: new Error(reason) });
}
