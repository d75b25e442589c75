import { z } from 'zod';

const milliseconds = (fallback: number) =>
  z.coerce.number().int().min(1).max(600_000).default(fallback);

/** What this module reads from the environment. */
export const settings = {
  ML_URL: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:8001'),
  ML_SERVICE_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  ML_ATTEMPT_TIMEOUT_MS: milliseconds(1_000),
  ML_TOTAL_TIMEOUT_MS: milliseconds(2_500),
  ML_MAX_CONCURRENCY: z.coerce.number().int().min(1).default(64),
  ML_BREAKER_FAILURES: z.coerce.number().int().min(1).default(5),
  ML_BREAKER_OPEN_MS: milliseconds(2_000),
};

export type MlSettings = z.output<z.ZodObject<typeof settings>>;
