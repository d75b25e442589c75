import { z } from 'zod';
import { defineJob, handle, type JobHandler } from '../../queue/job.ts';
import { applyState } from './state.ts';
import { type BillingParts, isMissing } from './stripe.ts';
import { reportUsage, sendUsage } from './usage.ts';

/** Stripe may be away for about a day; then what waited for it is a dead letter, and can be retried. */
const untilStripeIsBack = { retries: 150, longestPauseSeconds: 600, timeoutSeconds: 60 };
const payload = z.object({ customerId: z.string() });

/** Looks at what Stripe has of a customer, and keeps it. */
export const refresh = defineJob({ name: 'billing.refresh', payload, ...untilStripeIsBack });

/** Ends everything that a customer pays for; drizzle/ enqueues it where an organization is deleted. */
export const end = defineJob({ name: 'billing.end', payload, ...untilStripeIsBack });

/** Without a key there are none: what may be left from a time with one waits for it. */
export function billingJobs(parts: BillingParts): JobHandler[] {
  const { env, connect } = parts;
  if (env.STRIPE_SECRET_KEY === undefined) return [];
  return [
    handle(refresh, async ({ customerId }, { organizationId, log }) => {
      await applyState({ ...parts, log }, organizationId ?? '', customerId);
    }),
    handle(end, async ({ customerId }) => {
      const stripe = await connect();
      await stripe.customers.del(customerId).catch((error) => {
        if (!isMissing(error)) throw error;
      });
    }),
    handle(sendUsage, async ({ usageId }, { organizationId }) => {
      await reportUsage(parts, organizationId ?? '', usageId);
    }),
  ];
}
