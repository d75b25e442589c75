import { z } from 'zod';

/** One invalid field: where it is in the request, and what is wrong with it. */
export const FieldError = z.object({
  in: z.enum(['body', 'query', 'params', 'headers']),
  path: z.string().describe('JSON Pointer to the field, empty for the whole part'),
  message: z.string(),
});
export type FieldError = z.infer<typeof FieldError>;

/** An error as RFC 9457 describes it. `code` is the part that programs should branch on. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string().optional(),
    message: z
      .string()
      .optional()
      .describe("The detail once more, where better-auth's clients look for it"),
    requestId: z.string(),
    errors: z.array(FieldError).optional(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof Problem>;
