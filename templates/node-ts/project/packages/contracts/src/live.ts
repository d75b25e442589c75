import { z } from 'zod';

/** Something that has happened in the organization. The numbers of its events have no gaps; yours may, since you see what you may. */
export const LiveEvent = z
  .object({
    type: z.string().describe('Such as `task.created`'),
    sequence: z.int(),
    at: z.iso.datetime(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'LiveEvent' });
export type LiveEvent = z.infer<typeof LiveEvent>;

/** The first message of a stream that does not go on where another ended: read what you show, now. */
export const LiveReset = z
  .object({
    type: z.literal('reset'),
    sequence: z.int().describe('What follows has greater ones'),
  })
  .meta({ id: 'LiveReset' });
export type LiveReset = z.infer<typeof LiveReset>;

/** What comes over a stream: `reset` is the only type without a dot. */
export const LiveMessage = z.union([LiveReset, LiveEvent]).meta({ id: 'LiveMessage' });
export type LiveMessage = z.infer<typeof LiveMessage>;

export const LiveQuery = z.object({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('The sequence of the last message that you got: what came after it is sent first'),
});
export type LiveQuery = z.infer<typeof LiveQuery>;

/** Who has a stream open: `presence.came` and `presence.left` tell of changes. */
export const LivePresence = z.object({ userIds: z.array(z.string()) }).meta({ id: 'LivePresence' });
export type LivePresence = z.infer<typeof LivePresence>;
