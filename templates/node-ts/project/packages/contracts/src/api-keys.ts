import { z } from 'zod';
import { PageQuery, page } from './pagination.ts';
import { filledText } from './text.ts';

const DAY_S = 86_400;

const expiresInDays = z.int().min(1).max(3_650).describe('Without it the key has no end');

/** A key as it may be seen at any time; its secret is not kept. */
export const ApiKey = z
  .object({
    id: z.uuid(),
    name: z.string(),
    preview: z.string().describe('How the secret begins, and its last four characters'),
    scopes: z.array(z.string()),
    madeBy: z
      .string()
      .nullable()
      .describe('Who was shown the secret: the key may do no more than they may themselves'),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().nullable(),
    lastUsedAt: z.iso.datetime().nullable().describe('To the minute'),
    previousSecretUntil: z.iso
      .datetime()
      .nullable()
      .describe('How long the secret works that the last rotation has replaced'),
  })
  .meta({ id: 'ApiKey' });
export type ApiKey = z.infer<typeof ApiKey>;

export const ApiKeyWithSecret = z
  .object({ ...ApiKey.shape, secret: z.string().describe('Nobody is shown it a second time') })
  .meta({ id: 'ApiKeyWithSecret' });
export type ApiKeyWithSecret = z.infer<typeof ApiKeyWithSecret>;

export const ApiKeyPage = page(ApiKey).meta({ id: 'ApiKeyPage' });
export type ApiKeyPage = z.infer<typeof ApiKeyPage>;

export const ApiKeyQuery = PageQuery;
export type ApiKeyQuery = z.infer<typeof ApiKeyQuery>;

/** The scopes are permissions, such as `project:read`: the API document lists those that there are. */
export const NewApiKey = z.strictObject({
  name: filledText(120),
  scopes: z.array(z.string().max(100)).min(1).max(100),
  expiresInDays: expiresInDays.optional(),
});
export type NewApiKey = z.infer<typeof NewApiKey>;

export const ApiKeyRotation = z
  .strictObject({
    graceSeconds: z
      .int()
      .min(0)
      .max(7 * DAY_S)
      .default(DAY_S)
      .describe('How long the old secret still works; 0 ends it at once'),
    expiresInDays: expiresInDays.optional().describe('Without it the end of the key stays'),
  })
  .meta({ id: 'ApiKeyRotation' });
export type ApiKeyRotation = z.infer<typeof ApiKeyRotation>;
