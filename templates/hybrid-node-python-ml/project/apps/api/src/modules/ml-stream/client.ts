import { ProblemError } from '../../http/problems.ts';
import {
  type Caller,
  explain,
  failureOf,
  type MlClient,
  type StateListener,
} from '../ml/client.ts';
import type { paths } from '../ml/contract.gen.ts';
import { CallerGoneError, MlUnavailableError } from '../ml/failures.ts';
import type { PredictRequest } from '../ml/transport.ts';
import { readEvents, type Streamed } from './events.ts';
import { createGuard, type StreamCall } from './guard.ts';
import type { StreamSettings } from './settings.ts';

const PREDICT = '/v1/predict:stream' satisfies keyof paths;
const EVENTS =
  'text/event-stream' satisfies keyof paths[typeof PREDICT]['post']['responses'][200]['content'];
/** What is kept back for the last event's way. */
const WAY_BACK = 0.1;

export type Deliver = (events: AsyncIterable<Streamed>) => Promise<void>;

export interface StreamClient {
  /** Hands the events to `deliver` once the service has begun to send them. */
  stream(body: PredictRequest, caller: Caller, deliver: Deliver): Promise<void>;
  readonly state: MlClient['state'];
}

/** Streams of predictions; their failures stay their own. */
export function createStreamClient(
  settings: StreamSettings,
  onStateChange: StateListener = () => {},
): StreamClient {
  const limits = {
    maxConcurrency: settings.ML_STREAM_MAX_CONCURRENCY,
    breakerFailures: settings.ML_BREAKER_FAILURES,
    breakerOpenMs: settings.ML_BREAKER_OPEN_MS,
  };
  const guard = createGuard(limits, onStateChange);
  return {
    async stream(body, caller, deliver) {
      try {
        await guard.stream(new Call(settings, caller, body), caller.signal, deliver);
      } catch (error) {
        throw explain(error, caller, settings);
      }
    },
    get state() {
      return guard.state;
    },
  };
}

/** One stream: its deadline, its idle limit, and the connection that `end` lets go. */
class Call implements StreamCall<Response, Streamed> {
  readonly #settings: StreamSettings;
  readonly #caller: Caller;
  readonly #body: PredictRequest;
  readonly #deadline: AbortSignal;
  readonly #late = new AbortController();
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;

  constructor(settings: StreamSettings, caller: Caller, body: PredictRequest) {
    this.#settings = settings;
    this.#caller = caller;
    this.#body = body;
    this.#deadline = AbortSignal.timeout(settings.ML_STREAM_TIMEOUT_MS);
    const reasons = [caller.signal, this.#deadline, this.#late.signal, this.#ended.signal];
    this.#signal = AbortSignal.any(reasons);
  }

  async open(): Promise<Response> {
    const attempt = new AbortController();
    const timer = setTimeout(() => attempt.abort(), this.#settings.ML_ATTEMPT_TIMEOUT_MS);
    try {
      const response = await this.#post(attempt.signal);
      if (!response.ok) throw failureOf(await refusal(response));
      if (response.headers.get('content-type')?.startsWith(EVENTS)) return response;
      await response.body?.cancel();
      throw new MlUnavailableError('ml_bad_answer', { cause: new Error('not a stream of events') });
    } catch (error) {
      throw attempt.signal.aborted ? timeout(error) : this.explain(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #post(attempt: AbortSignal): Promise<Response> {
    const { ML_SERVICE_TOKEN: token, ML_STREAM_TIMEOUT_MS: milliseconds, ML_URL } = this.#settings;
    return fetch(new URL(PREDICT, ML_URL), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-request-id': this.#caller.requestId,
        traceparent: this.#caller.traceparent,
        'x-timeout-ms': String(Math.ceil(milliseconds * (1 - WAY_BACK))),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(this.#body),
      redirect: 'error',
      signal: AbortSignal.any([this.#signal, attempt]),
    });
  }

  read(response: Response): AsyncIterable<Streamed> {
    return readEvents(this.#chunks(response), this.#body.instances.length);
  }

  /** The body as it comes; only the time that is spent waiting for the service counts as idle. */
  async *#chunks(response: Response): AsyncGenerator<Uint8Array> {
    const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
    for (;;) {
      const timer = setTimeout(() => this.#late.abort(), this.#settings.ML_STREAM_IDLE_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      yield value;
    }
  }

  explain(error: unknown): Error {
    if (this.#caller.signal.aborted) return new CallerGoneError();
    if (error instanceof MlUnavailableError || error instanceof ProblemError) return error;
    if (this.#deadline.aborted || this.#late.signal.aborted) return timeout(error);
    return new MlUnavailableError('ml_unreachable', { cause: error });
  }

  end(): void {
    this.#ended.abort();
  }
}

function timeout(cause: unknown): MlUnavailableError {
  return new MlUnavailableError('ml_timeout', { cause });
}

async function refusal(response: Response) {
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  return {
    status: response.status,
    retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined,
    body: await response.json().catch(() => undefined),
  };
}
