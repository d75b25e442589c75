import { type Caller, createMlClient, type MlClient, type StateListener } from '../ml/client.ts';
import { MlUnavailableError } from '../ml/failures.ts';
import type { MlSettings } from '../ml/settings.ts';
import { createTransport } from '../ml/transport.ts';

/** What pgvector stores at most. */
const MOST_NUMBERS = 16_000;

export interface Embedded {
  /** The model, its version and the width of its vectors. Only vectors of one encoder are ever compared. */
  readonly encoder: string;
  /** One for each text, in the same order. */
  readonly vectors: readonly (readonly number[])[];
}

/** For jobs: patient, and without attempts of its own, since the queue counts them and waits between them. */
export function createPatientClient(
  ml: MlSettings,
  timeoutMs: number,
  onStateChange?: StateListener,
): MlClient {
  const settings = { ...ml, ML_ATTEMPT_TIMEOUT_MS: timeoutMs, ML_TOTAL_TIMEOUT_MS: timeoutMs };
  return createMlClient(settings, onStateChange, createTransport(settings), 0);
}

/** pgvector stores a number in four bytes, and refuses what does not fit. */
const fits = (number: number) => Number.isFinite(Math.fround(number));

/** Asks the service for vectors, and takes none that could not be stored or compared. */
export async function embed(
  client: MlClient,
  texts: readonly string[],
  caller: Caller,
): Promise<Embedded> {
  const { model, predictions } = await client.predict({ instances: [...texts] }, caller);
  const vectors = predictions.map(({ embedding }) => embedding);
  const width = vectors[0]?.length ?? 0;
  const areAlike = vectors.every((vector) => vector.length === width && vector.every(fits));
  if (vectors.length !== texts.length || width < 1 || width > MOST_NUMBERS || !areAlike) {
    const cause = new Error(
      `${vectors.length} vectors of width ${width} for ${texts.length} texts`,
    );
    throw new MlUnavailableError('ml_bad_answer', { cause });
  }
  return { encoder: `${model.name} ${model.version} ${width}`, vectors };
}
