import { BrokenCircuitError, BulkheadRejectedError } from 'cockatiel';
import { ProblemError } from '../../http/problems.ts';
import type { MlClient, StateListener } from '../ml/client.ts';
import { CallerGoneError, UnavailableError } from '../ml/failures.ts';
import { createGuard, type StreamCall } from '../ml-stream/guard.ts';
import { badAnswer, GenerateUnavailableError } from './failures.ts';
import { failureOf, type Generated, type Prompt, readAnswer, requestBody } from './protocol.ts';
import type { GenerateSettings } from './settings.ts';

const EVENTS = 'text/event-stream';

export interface GenerateClient {
  /** Hands the answer to `deliver` once the model has begun with it. */
  generate(
    prompt: Prompt,
    /** Aborted when the caller goes away. */
    signal: AbortSignal,
    deliver: (events: AsyncIterable<Generated>) => Promise<void>,
  ): Promise<void>;
  readonly state: MlClient['state'];
}

/** Asks a language model, hosted or local, whose failures stay its own. */
export function createGenerateClient(
  env: GenerateSettings,
  onStateChange: StateListener = () => {},
): GenerateClient {
  const limits = {
    maxConcurrency: env.GENERATE_MAX_CONCURRENCY,
    breakerFailures: env.GENERATE_BREAKER_FAILURES,
    breakerOpenMs: env.GENERATE_BREAKER_OPEN_MS,
  };
  const guard = createGuard(limits, onStateChange);
  return {
    async generate(prompt, signal, deliver) {
      try {
        await guard.stream(new Call(env, signal, prompt), signal, deliver);
      } catch (error) {
        throw signal.aborted ? new CallerGoneError() : explain(error, env);
      }
    },
    get state() {
      return guard.state;
    },
  };
}

function explain(error: unknown, env: GenerateSettings): unknown {
  if (error instanceof BulkheadRejectedError) return new GenerateUnavailableError('generate_busy');
  if (error instanceof BrokenCircuitError) {
    const retryAfter = Math.ceil(env.GENERATE_BREAKER_OPEN_MS / 1000);
    return new GenerateUnavailableError('generate_circuit_open', { retryAfter });
  }
  return error;
}

/** An answer that has begun: a model that never does so has failed, whatever it sent before. */
interface Begun {
  readonly first: IteratorResult<Generated>;
  readonly rest: AsyncIterator<Generated>;
}

/** One question: its deadlines, and the connection that `end` lets go. */
class Call implements StreamCall<Begun, Generated> {
  readonly #env: GenerateSettings;
  readonly #caller: AbortSignal;
  readonly #prompt: Prompt;
  readonly #deadline: AbortSignal;
  readonly #late = new AbortController();
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;

  constructor(env: GenerateSettings, caller: AbortSignal, prompt: Prompt) {
    this.#env = env;
    this.#caller = caller;
    this.#prompt = prompt;
    this.#deadline = AbortSignal.timeout(env.GENERATE_TIMEOUT_MS);
    const reasons = [caller, this.#deadline, this.#late.signal, this.#ended.signal];
    this.#signal = AbortSignal.any(reasons);
  }

  async open(): Promise<Begun> {
    try {
      return await this.#within(this.#env.GENERATE_FIRST_TOKEN_MS, this.#begin());
    } catch (error) {
      throw this.explain(error);
    }
  }

  async #begin(): Promise<Begun> {
    const response = await this.#post();
    if (!response.ok) throw await failureOf(response);
    if (!response.headers.get('content-type')?.startsWith(EVENTS) || response.body === null) {
      throw badAnswer('not a stream of events');
    }
    const rest = readAnswer(response.body);
    return { first: await rest.next(), rest };
  }

  #post(): Promise<Response> {
    const { GENERATE_API_KEY: key, GENERATE_URL: url } = this.#env;
    return fetch(`${url?.replace(/\/+$/, '')}/chat/completions`, {
      method: 'POST',
      headers: {
        accept: EVENTS,
        'content-type': 'application/json',
        ...(key && { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify(requestBody(this.#prompt, this.#env)),
      redirect: 'error',
      signal: this.#signal,
    });
  }

  async *read({ first, rest }: Begun): AsyncGenerator<Generated> {
    let next = first;
    while (!next.done) {
      yield next.value;
      // Only the time that is spent waiting for the model counts.
      next = await this.#within(this.#env.GENERATE_NEXT_TOKEN_MS, rest.next());
    }
  }

  /** What takes longer ends the call. */
  #within<Result>(milliseconds: number, work: Promise<Result>): Promise<Result> {
    const timer = setTimeout(() => this.#late.abort(), milliseconds);
    return work.finally(() => clearTimeout(timer));
  }

  explain(error: unknown): Error {
    if (this.#caller.aborted) return new CallerGoneError();
    if (error instanceof UnavailableError || error instanceof ProblemError) return error;
    if (this.#deadline.aborted || this.#late.signal.aborted) {
      return new GenerateUnavailableError('generate_timeout', { cause: error });
    }
    return new GenerateUnavailableError('generate_unreachable', { cause: error });
  }

  end(): void {
    this.#ended.abort();
  }
}
