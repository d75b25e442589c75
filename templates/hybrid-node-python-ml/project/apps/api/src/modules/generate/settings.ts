import { z } from 'zod';

const milliseconds = (fallback: number, max: number) =>
  z.coerce.number().int().min(1).max(max).default(fallback);
const count = z.coerce.number().int().min(1);
/** The longest that `fetch` waits for a server that says nothing. */
const LONGEST_SILENCE_MS = 300_000;

/** What this module reads from the environment; without its address and a name the model is switched off. */
export const settings = {
  /** Up to and without `/chat/completions`. */
  GENERATE_URL: z
    .url({ protocol: /^https?$/, abort: true })
    // `fetch` refuses them in words that name them, and those would stand in the log.
    .refine((value) => new URL(value).username === '' && new URL(value).password === '', {
      error: 'must hold no user or password: a key goes into GENERATE_API_KEY',
    })
    .optional(),
  GENERATE_API_KEY: z
    .string()
    // For the same reason.
    .regex(/^[\x21-\x7e]+$/, 'must hold nothing but visible characters of ASCII')
    .optional(),
  GENERATE_MODEL: z.string().optional(),
  GENERATE_MAX_TOKENS: count.default(1_024),
  GENERATE_MAX_TOKENS_FIELD: z.enum(['max_tokens', 'max_completion_tokens']).default('max_tokens'),
  GENERATE_FIRST_TOKEN_MS: milliseconds(30_000, LONGEST_SILENCE_MS),
  GENERATE_NEXT_TOKEN_MS: milliseconds(15_000, LONGEST_SILENCE_MS),
  GENERATE_TIMEOUT_MS: milliseconds(120_000, 3_600_000),
  GENERATE_MAX_CONCURRENCY: count.default(16),
  GENERATE_BREAKER_FAILURES: count.default(5),
  GENERATE_BREAKER_OPEN_MS: milliseconds(5_000, 600_000),
  /** For each organization; without it there is no limit, and all are counted. */
  GENERATE_MONTHLY_TOKENS: count.optional(),
};

export type GenerateSettings = z.output<z.ZodObject<typeof settings>>;
