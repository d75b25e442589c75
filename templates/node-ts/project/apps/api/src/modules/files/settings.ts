import { z } from 'zod';
import { TYPES } from './content.ts';

const MIB = 1_048_576;

const bytes = (fallback: number) => z.coerce.number().int().min(1).default(fallback);

const types = z
  .string()
  .default(TYPES.join(','))
  .transform((text) => text.split(',').map((part) => part.trim().toLowerCase()))
  .pipe(z.array(z.enum(TYPES, { error: `must be a list of some of: ${TYPES.join(', ')}` })));

const bucketUrl = z
  .url({ protocol: /^https?$/, abort: true })
  .refine((text) => !/[?#@]/.test(text), 'must be no more than the address of a bucket')
  .transform((text) => text.replace(/\/+$/, ''));

export const settings = {
  FILES_DIR: z.string().optional(),
  FILES_BUCKET_URL: bucketUrl.optional(),
  FILES_BUCKET_REGION: z.string().default('us-east-1'),
  FILES_BUCKET_KEY: z.string().optional(),
  FILES_BUCKET_SECRET: z.string().optional(),
  FILES_MAX_BYTES: bytes(25 * MIB),
  FILES_QUOTA_BYTES: bytes(1_024 * MIB),
  FILES_TYPES: types,
  FILES_UPLOAD_BYTES_PER_SECOND: bytes(65_536),
  // Bytes that are there two hours after an upload has begun, and no file, count as left behind.
  FILES_UPLOAD_TIMEOUT_MS: z.coerce.number().int().min(1).max(3_600_000).default(600_000),
  // S3 signs nothing for longer than a week.
  FILES_LINK_SECONDS: z.coerce.number().int().min(1).max(604_800).default(300),
};

export type FileSettings = z.output<z.ZodObject<typeof settings>>;
