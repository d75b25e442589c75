import { z } from 'zod';
import { defineJob, HopelessJobError, handle, type JobHandler } from '../../queue/job.ts';
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

export function billingJobs(parts: BillingParts): JobHandler[] {
  const { env, connect } = parts;
  const refuseWithoutKey = () => {
    if (env.STRIPE_SECRET_KEY === undefined) throw new HopelessJobError('Set STRIPE_SECRET_KEY');
  };
  return [
    handle(refresh, async ({ customerId }, { organizationId, log }) => {
      refuseWithoutKey();
      await applyState({ ...parts, log }, organizationId ?? '', customerId);
    }),
    handle(end, async ({ customerId }) => {
      refuseWithoutKey();
      const stripe = await connect();
      await stripe.customers.del(customerId).catch((error) => {
        if (!isMissing(error)) throw error;
      });
    }),
    handle(sendUsage, async ({ usageId }, { organizationId }) => {
      // Where nobody pays, what is used is counted and no more.
      if (env.STRIPE_SECRET_KEY === undefined) return;
      await reportUsage(parts, organizationId ?? '', usageId);
    }),
  ];
}
