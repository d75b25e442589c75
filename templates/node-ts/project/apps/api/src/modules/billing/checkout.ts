import type { NewCheckout } from '@app/contracts';
import { eq } from 'drizzle-orm';
import type { Stripe } from 'stripe';
import { organizationNotFound } from '../../auth/access.ts';
import { members } from '../../auth/schema.ts';
import type { Config } from '../../config.ts';
import type { Database } from '../../db/database.ts';
import { withTenant } from '../../db/tenant.ts';
import { ProblemError } from '../../http/problems.ts';
import { findAccount } from './accounts.ts';
import type { Env, Interval, Plan } from './catalogue.ts';
import { customerOf } from './customers.ts';
import { applyState, type StateParts, UnknownPriceError } from './state.ts';
import { notConfigured } from './stripe.ts';

type Parts = StateParts & { readonly config: Config };

/** Where to pay for a plan. */
export async function openCheckout(
  parts: Parts,
  organizationId: string,
  wanted: NewCheckout,
): Promise<string> {
  const { config, catalogue, database, connect, env } = parts;
  const plan = catalogue.named(wanted.plan);
  const price = priceOf(env, plan, wanted.interval);
  const quantity = await quantityOf(database, organizationId, plan, wanted.seats);
  const stripe = await connect();
  const customer = await customerOf(database, stripe, organizationId);
  // Somebody may have paid a moment ago, and the event is on its way.
  await applyState(parts, organizationId, customer).catch((error) => {
    throw error instanceof UnknownPriceError ? subscribed() : error;
  });
  const account = await withTenant(database, organizationId, findAccount);
  if (!account) throw organizationNotFound();
  if (account.status !== null && account.status !== 'incomplete') throw subscribed();
  const session = await stripe.checkout.sessions.create({
    mode: 'subscription',
    customer,
    client_reference_id: organizationId,
    customer_update: { address: 'auto', name: 'auto' },
    line_items: [
      { price, quantity },
      ...(plan.usagePrices ?? []).flatMap((name) => (env[name] ? [{ price: env[name] }] : [])),
    ],
    subscription_data: {
      metadata: { organizationId },
      ...(plan.trialDays > 0 && !account.hadSubscription && { trial_period_days: plan.trialDays }),
    },
    success_url: `${config.APP_URL}/billing?checkout=done`,
    cancel_url: `${config.APP_URL}/billing?checkout=canceled`,
  });
  await expireOthers(stripe, customer);
  if (!session.url) throw new Error('Stripe gave no address for the checkout');
  return session.url;
}

/**
 * Of all that are open the newest stays, so nobody pays twice. Each looks after its own is made: of two
 * who begin at once, the later sees both.
 */
async function expireOthers(stripe: Stripe, customer: string): Promise<void> {
  const { data } = await stripe.checkout.sessions.list({ customer, status: 'open', limit: 100 });
  const newestFirst = data.toSorted((one, other) =>
    one.created === other.created ? (one.id < other.id ? 1 : -1) : other.created - one.created,
  );
  for (const { id } of newestFirst.slice(1)) {
    // Paid or expired meanwhile.
    await stripe.checkout.sessions.expire(id).catch((error) => {
      if (error.type !== 'StripeInvalidRequestError') throw error;
    });
  }
}

function priceOf(env: Env, plan: Plan, interval: Interval): string {
  const variable = plan.prices[interval];
  if (variable === undefined) {
    throw new ProblemError(400, 'no_such_price', `${plan.title} is not sold by the ${interval}`);
  }
  const price = env[variable];
  if (price === undefined) throw notConfigured(variable);
  return price;
}

/** A seat for everybody who is there already, or more. */
async function quantityOf(
  { db }: Database,
  organizationId: string,
  plan: Plan,
  wanted?: number,
): Promise<number> {
  if (plan.seats !== 'paid') return 1;
  const used = await db.$count(members, eq(members.organizationId, organizationId));
  if (wanted !== undefined && wanted < used) {
    throw new ProblemError(409, 'too_few_seats', `There are ${used} members already`);
  }
  return wanted ?? used;
}

function subscribed(): ProblemError {
  const detail = 'There is a subscription already: change it in the portal';
  return new ProblemError(409, 'already_subscribed', detail);
}
