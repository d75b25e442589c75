import { z } from 'zod';

const count = (fallback: number, max = 1_000) =>
  z.coerce.number().int().min(1).max(max).default(fallback);
const milliseconds = (fallback: number) => count(fallback, 600_000);

/** What this module reads from the environment; how to reach the service is the ml module's. */
export const settings = {
  ML_JOBS_WORKER: z
    .enum(['true', 'false'])
    .default('true')
    .transform((value) => value === 'true'),
  ML_JOBS_CONCURRENCY: count(2),
  ML_JOBS_TIMEOUT_MS: milliseconds(300_000),
  ML_JOBS_MAX_ATTEMPTS: count(6),
  ML_JOBS_BACKOFF_MS: milliseconds(5_000),
  ML_JOBS_LEASE_MS: milliseconds(30_000),
  ML_JOBS_POLL_MS: milliseconds(1_000),
  ML_JOBS_RETENTION_HOURS: count(168, 87_600),
  METRICS_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
};

export type JobSettings = z.output<z.ZodObject<typeof settings>>;
