import type { FastifyBaseLogger } from 'fastify';
import type { Stripe } from 'stripe';
import { withTenant } from '../../db/tenant.ts';
import { HopelessJobError } from '../../queue/job.ts';
import { findAccount, NO_SUBSCRIPTION, type State, writeState } from './accounts.ts';
import type { BillingParts } from './stripe.ts';

const DAY_MS = 86_400_000;
/** How often others may be faster. */
const TRIES = 10;
/** Of several subscriptions, the first of these counts. */
const BEST_FIRST = ['active', 'trialing', 'past_due', 'unpaid', 'paused', 'incomplete'];

export interface StateParts extends BillingParts {
  readonly log: FastifyBaseLogger;
}

/** Somebody pays for something that no plan knows: an operator has to say what it is. */
export class UnknownPriceError extends HopelessJobError {
  constructor(prices: readonly string[]) {
    super(`No plan has the price ${prices.join(' or ')}: name it in plans.ts and the environment`);
  }
}

/**
 * Asks Stripe for the customer's subscription, and keeps the answer. An answer that was on its way while
 * another one was kept may be the older of the two, and is asked for again.
 */
export async function applyState(
  parts: StateParts,
  organizationId: string,
  customerId: string,
): Promise<void> {
  const { database } = parts;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const account = await withTenant(database, organizationId, findAccount);
    // Gone, or with another customer by now.
    if (account?.customerId !== customerId) return;
    const state = await readState(parts, customerId);
    if (await withTenant(database, organizationId, (tx) => writeState(tx, account, state))) return;
  }
  throw new Error(`Others were faster ${TRIES} times`);
}

async function readState(parts: StateParts, customerId: string): Promise<State | 'gone'> {
  const { connect, log } = parts;
  const stripe = await connect();
  // Those that are canceled are not among its subscriptions.
  const customer = await stripe.customers.retrieve(customerId, { expand: ['subscriptions'] });
  if (customer.deleted) return 'gone';
  const all = (customer.subscriptions?.data ?? []).toSorted(bestFirst);
  if (all.length > 1) log.warn({ customerId, count: all.length }, 'there are more subscriptions');
  return all[0] ? toState(parts, all[0]) : NO_SUBSCRIPTION;
}

async function toState(parts: StateParts, subscription: Stripe.Subscription): Promise<State> {
  const items = subscription.items.data;
  const known = items.flatMap((item) => {
    const bought = parts.catalogue.ofPrice(parts.env, item.price.id);
    return bought ? [{ item, ...bought }] : [];
  });
  if (!known[0]) throw new UnknownPriceError(items.map(({ price }) => price.id));
  const { item, plan, interval } = known[0];
  const { id, status, trial_end, cancel_at, cancel_at_period_end } = subscription;
  const periodEndsAt = item.current_period_end;
  return {
    subscriptionId: id,
    status,
    plan: plan.name,
    interval,
    quantity: item.quantity ?? 1,
    trialEndsAt: status === 'trialing' ? momentOf(trial_end) : null,
    periodEndsAt: momentOf(periodEndsAt),
    endsAt: momentOf(cancel_at ?? (cancel_at_period_end ? periodEndsAt : null)),
    graceEndsAt:
      status === 'past_due' ? await graceEnd(parts, id, item.current_period_start) : null,
  };
}

/** Counted from the oldest bill that is still open, so that it is the same whenever it is asked for. */
async function graceEnd(
  { catalogue, connect }: StateParts,
  subscription: string,
  periodStart: number,
): Promise<Date> {
  const stripe = await connect();
  const open = await stripe.invoices.list({ subscription, status: 'open', limit: 100 });
  const bills = open.data.map(({ created }) => created);
  const since = bills.length > 0 ? Math.min(...bills) : periodStart;
  return new Date(since * 1_000 + catalogue.graceDays * DAY_MS);
}

function bestFirst(one: Stripe.Subscription, other: Stripe.Subscription): number {
  const rank = ({ status }: Stripe.Subscription) => {
    const place = BEST_FIRST.indexOf(status);
    return place < 0 ? BEST_FIRST.length : place;
  };
  return rank(one) - rank(other) || other.created - one.created || (one.id < other.id ? -1 : 1);
}

function momentOf(seconds: number | null): Date | null {
  return seconds === null ? null : new Date(seconds * 1_000);
}
