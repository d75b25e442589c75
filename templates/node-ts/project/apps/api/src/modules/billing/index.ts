import { createBilling } from './billing.ts';
import { catalogue } from './catalogue.ts';

/** Subscriptions at Stripe. What there is to buy stands in plans.ts. */
export const billing = createBilling(catalogue);
