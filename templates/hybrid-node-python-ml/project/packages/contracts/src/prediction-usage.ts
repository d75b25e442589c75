import { z } from 'zod';

const month = z.string().describe('Such as 2026-11, by UTC');
const predictions = z
  .int()
  .describe('One for each instance that was asked for, less those that came to nothing');

/** What an organization has used of its predictions. */
export const PredictionUsage = z
  .object({
    month,
    predictions,
    limit: z.int().nullable().describe('How many there are each month; null: as many as you like'),
    endsAt: z.iso.datetime().describe('When the next month begins'),
    earlier: z.array(z.object({ month, predictions })).describe('At most twelve, the newest first'),
  })
  .meta({ id: 'PredictionUsage' });
export type PredictionUsage = z.infer<typeof PredictionUsage>;
