import {
  bulkhead,
  ConsecutiveBreaker,
  ConstantBackoff,
  circuitBreaker,
  handleWhen,
  retry,
  wrap,
} from 'cockatiel';
import { isFault, isRetryable, type MlClient, STATES, type StateListener } from '../ml/client.ts';

export interface Limits {
  readonly maxConcurrency: number;
  readonly breakerFailures: number;
  readonly breakerOpenMs: number;
}

/** One stream of a service's, from its opening to its end. */
export interface StreamCall<Opened, Event> {
  open(): Promise<Opened>;
  read(opened: Opened): AsyncIterable<Event>;
  /** What an error means that ended `read`. */
  explain(error: unknown): Error;
  /** Hangs up, if that has not happened: the service then stops working for this stream. */
  end(): void;
}

export interface Guard {
  /** Hands the events to `deliver` once the call is open. */
  stream<Opened, Event>(
    call: StreamCall<Opened, Event>,
    signal: AbortSignal,
    deliver: (events: AsyncIterable<Event>) => Promise<void>,
  ): Promise<void>;
  readonly state: MlClient['state'];
}

/**
 * Keeps a service's failures to its streams. They have places and a circuit of their own: a stream
 * holds its place until its end, and must not take that of others. Only the opening is tried again;
 * a stream that breaks later counts as one fault.
 */
export function createGuard(limits: Limits, onStateChange: StateListener): Guard {
  const places = bulkhead(limits.maxConcurrency, 0);
  const circuit = circuitBreaker(handleWhen(isFault), {
    halfOpenAfter: limits.breakerOpenMs,
    breaker: new ConsecutiveBreaker(limits.breakerFailures),
  });
  circuit.onStateChange((state) => onStateChange(STATES[state]));
  const again = { maxAttempts: 1, backoff: new ConstantBackoff(25) };
  const opening = wrap(retry(handleWhen(isRetryable), again), circuit);

  /** Passes events on, and counts a fault of the service that ends them. */
  async function* noting<Opened, Event>(call: StreamCall<Opened, Event>, opened: Opened) {
    try {
      yield* call.read(opened);
    } catch (error) {
      const reason = call.explain(error);
      await circuit.execute(() => Promise.reject(reason)).catch(() => {});
      throw reason;
    }
  }

  return {
    stream: (call, signal, deliver) =>
      places.execute(async () => {
        try {
          const opened = await opening.execute(() => call.open(), signal);
          await deliver(noting(call, opened));
        } finally {
          call.end();
        }
      }),
    get state() {
      return STATES[circuit.state];
    },
  };
}
