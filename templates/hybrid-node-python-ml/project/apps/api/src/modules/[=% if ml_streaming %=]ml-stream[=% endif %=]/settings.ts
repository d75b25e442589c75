import { z } from 'zod';
import type { MlSettings } from '../ml/settings.ts';

const milliseconds = (fallback: number) =>
  z.coerce.number().int().min(1).max(600_000).default(fallback);

/** What this module reads from the environment, beside the settings of single calls. */
export const settings = {
  ML_STREAM_TIMEOUT_MS: milliseconds(60_000),
  ML_STREAM_IDLE_MS: milliseconds(15_000),
  ML_STREAM_MAX_CONCURRENCY: z.coerce.number().int().min(1).default(16),
};

export type StreamSettings = MlSettings & z.output<z.ZodObject<typeof settings>>;
