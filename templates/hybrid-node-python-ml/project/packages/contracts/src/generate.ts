import { z } from 'zod';
import { ErrorEvent } from './prediction-events.ts';
import { filledText } from './text.ts';

export const Message = z
  .strictObject({
    role: z.enum(['system', 'user', 'assistant']),
    content: filledText(100_000),
  })
  .meta({ id: 'Message' });
export type Message = z.infer<typeof Message>;

export const NewAnswer = z
  .strictObject({
    messages: z.array(Message).min(1).max(100).describe('The talk so far, the oldest first'),
    maxTokens: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe('How long the answer may become; never longer than the server allows'),
  })
  .meta({ id: 'NewAnswer' });
export type NewAnswer = z.infer<typeof NewAnswer>;

export const TokenCount = z
  .object({
    promptTokens: z.int().min(0),
    completionTokens: z.int().min(0),
    isEstimate: z.boolean().describe('True where the model has not said how many there were'),
  })
  .meta({ id: 'TokenCount' });
export type TokenCount = z.infer<typeof TokenCount>;

const finishReason = z
  .enum(['stop', 'length', 'content_filter', 'other'])
  .describe('`length`: as long as it was allowed to become, and so perhaps not at its end');

/** The whole of it, where no stream was asked for. */
export const Answer = z
  .object({ text: z.string(), finishReason, usage: TokenCount })
  .meta({ id: 'Answer' });
export type Answer = z.infer<typeof Answer>;

/** The next piece of the text. */
export const AnswerDelta = z
  .object({ type: z.literal('delta'), text: z.string() })
  .meta({ id: 'AnswerDelta' });
export type AnswerDelta = z.infer<typeof AnswerDelta>;

/** The last event of an answer that is complete; `error` is that of one that is not. */
export const AnswerDone = z
  .object({ type: z.literal('done'), finishReason, usage: TokenCount })
  .meta({ id: 'AnswerDone' });
export type AnswerDone = z.infer<typeof AnswerDone>;

/** The data of a server-sent event, whose name is its `type`. */
export const AnswerEvent = z
  .discriminatedUnion('type', [AnswerDelta, AnswerDone, ErrorEvent])
  .meta({ id: 'AnswerEvent' });
export type AnswerEvent = z.infer<typeof AnswerEvent>;

const month = z.string().describe('Such as 2026-11, by UTC');
const tokens = z.int().describe('Of prompts and answers together');

/** What an organization has used of its language model. */
export const TokenUsage = z
  .object({
    month,
    tokens,
    limit: z.int().nullable().describe('How many there are each month; null: as many as you like'),
    endsAt: z.iso.datetime().describe('When the next month begins'),
    earlier: z.array(z.object({ month, tokens })).describe('At most twelve, the newest first'),
  })
  .meta({ id: 'TokenUsage' });
export type TokenUsage = z.infer<typeof TokenUsage>;
