import type { paths } from './contract.gen.ts';
import { MlUnavailableError } from './failures.ts';
import type { MlSettings } from './settings.ts';

const PREDICT = '/v1/predict' satisfies keyof paths;
type Predict = paths[typeof PREDICT]['post'];

export type PredictRequest = Predict['requestBody']['content']['application/json'];
export type PredictResponse = Predict['responses'][200]['content']['application/json'];

/** What travels with a call. */
export interface CallContext {
  readonly requestId: string;
  readonly traceparent: string;
  /** Aborted when the attempt must end. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export type Transport = (
  body: PredictRequest,
  context: CallContext,
) => Promise<{ status: number; retryAfter: number | undefined; body: unknown }>;

/** One HTTP call, and nothing else: the only place to change for another HTTP client. */
export function createTransport(settings: MlSettings): Transport {
  const url = new URL(PREDICT, settings.ML_URL);
  const token = settings.ML_SERVICE_TOKEN;
  return async (body, { requestId, traceparent, signal, timeoutMs }) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-request-id': requestId,
        traceparent,
        'x-timeout-ms': String(timeoutMs),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
      redirect: 'error',
      signal,
    });
    const text = await response.text();
    const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
    return {
      status: response.status,
      retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined,
      body: response.ok ? parse(text) : parseProblem(text),
    };
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MlUnavailableError('ml_bad_answer', { cause: error });
  }
}

function parseProblem(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A proxy's error page: the status says enough.
    return undefined;
  }
}
