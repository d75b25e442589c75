import { Predictions } from '@app/contracts';
import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  ConstantBackoff,
  circuitBreaker,
  handleWhen,
  retry,
  wrap,
} from 'cockatiel';
import { ProblemError } from '../../http/problems.ts';
import { CallerGoneError, MlUnavailableError, UnavailableError } from './failures.ts';
import type { MlSettings } from './settings.ts';
import {
  createTransport,
  type PredictRequest,
  type PredictResponse,
  type Transport,
} from './transport.ts';

/** Less time than this is not worth an attempt. */
const SHORTEST_ATTEMPT_MS = 10;
/** What is kept back for the answer's way: the service refuses in time what would come too late. */
const WAY_BACK = 0.1;

/** Who waits for the prediction, and what identifies the call. */
export interface Caller {
  readonly requestId: string;
  readonly traceparent: string;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
}

export interface MlClient {
  predict(body: PredictRequest, caller: Caller): Promise<PredictResponse>;
  readonly state: 'closed' | 'open' | 'half-open';
}

export type StateListener = (state: MlClient['state']) => void;

/**
 * Calls the service so that its failures stay its own: at most so many calls at once, each with a
 * deadline that the service knows, one more attempt where that is safe, and a circuit that opens
 * when the service keeps failing. Predictions change nothing, so repeating one is always safe.
 */
export function createMlClient(
  settings: MlSettings,
  onStateChange: StateListener = () => {},
  transport: Transport = createTransport(settings),
  maxRetries = 1,
): MlClient {
  const breaker = circuitBreaker(handleWhen(isFault), {
    halfOpenAfter: settings.ML_BREAKER_OPEN_MS,
    breaker: new ConsecutiveBreaker(settings.ML_BREAKER_FAILURES),
  });
  breaker.onStateChange((state) => onStateChange(STATES[state]));
  const policy = wrap(
    // No queue here: the service's own knows how long it is, and refuses what would come too late.
    bulkhead(settings.ML_MAX_CONCURRENCY, 0),
    retry(handleWhen(isRetryable), { maxAttempts: maxRetries, backoff: new ConstantBackoff(25) }),
    breaker,
  );

  return {
    async predict(body, caller) {
      const deadline = performance.now() + settings.ML_TOTAL_TIMEOUT_MS;
      try {
        return await policy.execute(
          () => attempt(transport, body, caller, settings.ML_ATTEMPT_TIMEOUT_MS, deadline),
          caller.signal,
        );
      } catch (error) {
        throw explain(error, caller, settings);
      }
    },
    get state() {
      return STATES[breaker.state];
    },
  };
}

export const STATES = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.Isolated]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
} as const;

export function isFault(error: unknown): boolean {
  return error instanceof UnavailableError && error.isFault;
}

export function isRetryable(error: unknown): boolean {
  return error instanceof UnavailableError && error.isRetryable;
}

async function attempt(
  transport: Transport,
  body: PredictRequest,
  caller: Caller,
  longest: number,
  deadline: number,
): Promise<PredictResponse> {
  const timeoutMs = Math.floor(Math.min(longest, deadline - performance.now()));
  if (timeoutMs < SHORTEST_ATTEMPT_MS) throw new MlUnavailableError('ml_timeout');
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([caller.signal, timeout]);
  try {
    return understand(
      await transport(body, {
        ...caller,
        signal,
        timeoutMs: Math.ceil(timeoutMs * (1 - WAY_BACK)),
      }),
    );
  } catch (error) {
    if (caller.signal.aborted) throw new CallerGoneError();
    if (timeout.aborted) throw new MlUnavailableError('ml_timeout', { cause: error });
    if (error instanceof MlUnavailableError || error instanceof ProblemError) throw error;
    throw new MlUnavailableError('ml_unreachable', { cause: error });
  }
}

function understand(answer: Awaited<ReturnType<Transport>>): PredictResponse {
  if (answer.status !== 200) throw failureOf(answer);
  const parsed = Predictions.safeParse(answer.body);
  if (parsed.success) return answer.body as PredictResponse;
  throw new MlUnavailableError('ml_bad_answer', { cause: parsed.error });
}

/** What an answer means that holds no predictions. */
export function failureOf({ status, retryAfter, body }: Awaited<ReturnType<Transport>>) {
  const wait = retryAfter === undefined ? {} : { retryAfter };
  switch (status) {
    case 429:
    case 503:
    case 504:
      return new MlUnavailableError('ml_overloaded', wait);
    case 401:
    case 403:
      return new MlUnavailableError('ml_misconfigured', { retryAfter: 60 });
    case 400:
    case 413:
    case 422:
      return rejection(status, body);
    case 502:
      return new MlUnavailableError('ml_unreachable');
    default:
      return new MlUnavailableError('ml_failed', { cause: new Error(`status ${status}`) });
  }
}

/** The service does not want this input: that is the caller's to know, and nobody's failure. */
function rejection(status: number, body: unknown): ProblemError {
  const { code, detail } = (body ?? {}) as { code?: string; detail?: string };
  return new ProblemError(status, code ?? 'invalid_request', detail ?? 'The input was refused');
}

/** What a call's error means to whoever made it. */
export function explain(error: unknown, caller: Caller, settings: MlSettings): unknown {
  if (caller.signal.aborted) return new CallerGoneError();
  if (error instanceof BulkheadRejectedError) return new MlUnavailableError('ml_busy');
  if (error instanceof BrokenCircuitError) {
    const retryAfter = Math.ceil(settings.ML_BREAKER_OPEN_MS / 1000);
    return new MlUnavailableError('ml_circuit_open', { retryAfter });
  }
  return error;
}
