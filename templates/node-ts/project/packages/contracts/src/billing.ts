import { z } from 'zod';

const momentOrNull = z.iso.datetime().nullable();

/** What an organization has at this moment, and the subscription that it may have it by. */
export const Billing = z
  .object({
    plan: z
      .string()
      .describe('That counts now: of no subscription, or one that is unpaid, the default'),
    title: z.string(),
    entitlements: z.array(z.string()),
    seats: z.object({
      used: z.int(),
      total: z.int().nullable().describe('Null if there is no limit'),
    }),
    subscription: z
      .object({
        status: z.string().describe("Stripe's word: active, trialing, past_due, unpaid, ..."),
        plan: z.string(),
        interval: z.enum(['month', 'year']),
        trialEndsAt: momentOrNull,
        periodEndsAt: momentOrNull,
        endsAt: momentOrNull.describe('Set if it has been canceled'),
        graceEndsAt: momentOrNull.describe('Until when the plan goes on without a payment'),
      })
      .nullable(),
  })
  .meta({ id: 'Billing' });
export type Billing = z.infer<typeof Billing>;

/** The API document lists the plans. */
export const NewCheckout = z.strictObject({
  plan: z.string().max(100),
  interval: z.enum(['month', 'year']).default('month'),
  seats: z.int().min(1).max(100_000).optional().describe('Where a plan is paid by the seat'),
});
export type NewCheckout = z.infer<typeof NewCheckout>;

/** Where to send the browser. */
export const BillingLink = z.object({ url: z.url() }).meta({ id: 'BillingLink' });
export type BillingLink = z.infer<typeof BillingLink>;
