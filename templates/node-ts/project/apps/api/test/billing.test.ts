import type { Billing } from '@app/contracts';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../src/db/tenant.ts';
import { billingUsage } from '../src/modules/billing/table.ts';
import { sendUsage, usageSince } from '../src/modules/billing/usage.ts';
import { enqueue } from '../src/queue/job.ts';
import {
  addMember,
  type Client,
  invite,
  signUp,
  signUpOwner,
  startApp,
  type TestApp,
} from './support/app.ts';
import { billingEnv, billingModules, METER, PRICES, settle, until } from './support/billing.ts';
import { StripeServer, type Subscription, signedEvent } from './support/stripe-server.ts';

const stripe = new StripeServer();
let test: TestApp;

beforeAll(async () => {
  test = await startApp({ env: billingEnv(await stripe.start()), extraModules: billingModules });
  // Written when the application starts.
  const plans = sql`select name from billing_plans`;
  const count = async () => (await test.database.db.execute(plans)).rows.length;
  await until(async () => (await count()) === 4);
});
afterAll(async () => {
  await test.close();
  await stripe.stop();
});

type Owner = Awaited<ReturnType<typeof signUpOwner>>;
const SOLO = { plan: 'solo', interval: 'month' };

const checkout = ({ client, path }: Owner, body: object = SOLO) =>
  client.post(`${path}/billing/checkout`, body);

async function billingOf({ client, path }: Owner): Promise<Billing> {
  return (await client.get(`${path}/billing`)).json();
}

/** Has Stripe say that somebody subscribed, and the application hear of it. */
async function subscribe(owner: Owner, price: string, more: Partial<Subscription> = {}) {
  const begun = await checkout(owner);
  expect(begun.statusCode, begun.body).toBe(201);
  const subscription = stripe.subscribe(stripe.customerOf(owner.organizationId).id, price, more);
  await tell(subscription);
  return subscription;
}

async function tell({ customer }: Subscription): Promise<void> {
  const event = signedEvent({ object: { customer } });
  await test.app.inject({ method: 'POST', url: '/webhooks/stripe', ...event });
  await settle(test);
}

describe('a checkout', () => {
  it('leads to Stripe, with a trial the first time', async () => {
    const owner = await signUpOwner(test.app, 'buyer');
    const response = await checkout(owner);
    expect(response.statusCode, response.body).toBe(201);
    const { url } = response.json<{ url: string }>();
    const { form } = stripe.sessions.get(url.split('/').at(-1) ?? '') ?? {};
    expect(form).toMatchObject({
      mode: 'subscription',
      customer: stripe.customerOf(owner.organizationId).id,
      'line_items[0][price]': PRICES.solo,
      'line_items[0][quantity]': '1',
      'line_items[1][price]': 'price_usage',
      'subscription_data[trial_period_days]': '14',
      success_url: 'http://localhost:3000/billing?checkout=done',
    });
    expect(await billingOf(owner)).toMatchObject({ plan: 'none', subscription: null });

    const subscription = await subscribe(owner, PRICES.solo, {
      status: 'trialing',
      trial_end: 4_000_000_000,
    });
    expect(await billingOf(owner)).toMatchObject({
      plan: 'solo',
      seats: { used: 1, total: 4 },
      subscription: { status: 'trialing', trialEndsAt: '2096-10-02T07:06:40.000Z' },
    });
    subscription.status = 'canceled';
    await tell(subscription);
    const again = (await checkout(owner)).json<{ url: string }>().url.split('/').at(-1) ?? '';
    const fields = Object.keys(stripe.sessions.get(again)?.form ?? {});
    expect(fields).toContain('line_items[0][price]');
    expect(fields).not.toContain('subscription_data[trial_period_days]');
  });

  it('that several begin at once makes one customer, and one can be paid', async () => {
    const owner = await signUpOwner(test.app, 'racing');
    const responses = await Promise.all([1, 2, 3, 4].map(() => checkout(owner)));
    expect(responses.map(({ statusCode }) => statusCode)).toEqual([201, 201, 201, 201]);
    // It throws if there are more.
    const { id } = stripe.customerOf(owner.organizationId);
    const sessions = [...stripe.sessions.values()].filter(({ form }) => form.customer === id);
    expect(sessions).toHaveLength(4);
    expect(sessions.filter(({ status }) => status === 'open')).toHaveLength(1);
  });

  it('is refused to who has paid, even if no event has told of it', async () => {
    const owner = await signUpOwner(test.app, 'paid-already');
    await checkout(owner);
    stripe.subscribe(stripe.customerOf(owner.organizationId).id, PRICES.solo);
    const response = await checkout(owner);
    expect([response.statusCode, response.json().code]).toEqual([409, 'already_subscribed']);
    expect((await billingOf(owner)).plan).toBe('solo');
  });

  it('of seats is for all who are there, or more', async () => {
    const owner = await signUpOwner(test.app, 'crew');
    await addMember(test, owner.client, 'crew-two@example.com', 'member');
    const quantity = async (body: object) => {
      const response = await checkout(owner, { plan: 'crew', interval: 'month', ...body });
      if (response.statusCode !== 201) return response.json().code;
      const id = response.json<{ url: string }>().url.split('/').at(-1) ?? '';
      return stripe.sessions.get(id)?.form['line_items[0][quantity]'];
    };
    expect(await quantity({})).toBe('2');
    expect(await quantity({ seats: 7 })).toBe('7');
    expect(await quantity({ seats: 1 })).toBe('too_few_seats');
  });

  let poor: Owner;
  beforeAll(async () => {
    poor = await signUpOwner(test.app, 'poor');
  });
  it.each([
    ['of a plan that there is not', { plan: 'gold', interval: 'month' }, 400, 'invalid_request'],
    ['of a plan that nobody can buy', { plan: 'none', interval: 'month' }, 400, 'invalid_request'],
    ['by an interval that it has not', { plan: 'crew', interval: 'year' }, 400, 'no_such_price'],
    ['with a price of their own', { ...SOLO, price: 'price_1' }, 400, 'invalid_request'],
    ['of no seat', { plan: 'crew', interval: 'month', seats: 0 }, 400, 'invalid_request'],
    ['whose price is not set', { plan: 'whole', interval: 'month' }, 503, 'billing_not_configured'],
  ])('%s is refused', async (_, body, status, code) => {
    const asked = stripe.requests.length;
    const response = await checkout(poor, body);
    expect([response.statusCode, response.json().code]).toEqual([status, code]);
    if (status === 503) expect(response.json().detail).toContain('TEST_PRICE_NOT_SET');
    expect(stripe.requests).toHaveLength(asked);
  });

  it.each([500, 429, null])(
    'says so while Stripe is away (%s), and works again',
    async (failure) => {
      const owner = await signUpOwner(test.app, `away-${failure}`);
      stripe.failure = failure;
      const response = await checkout(owner);
      stripe.failure = undefined;
      expect([response.statusCode, response.json().code]).toEqual([503, 'stripe_unavailable']);
      // Stripe gives a failure again for the key that it came with.
      const again = await checkout(owner);
      expect(again.statusCode, again.body).toBe(201);
    },
  );

  it('and the portal are for owners and admins', async () => {
    const owner = await signUpOwner(test.app, 'managed');
    const member = await addMember(test, owner.client, 'managed-member@example.com', 'member');
    for (const route of ['checkout', 'portal']) {
      const response = await member.post(`${owner.path}/billing/${route}`, SOLO);
      expect([response.statusCode, response.json().code]).toEqual([403, 'forbidden']);
    }
    expect((await member.get(`${owner.path}/billing`)).statusCode).toBe(200);
    const portal = () => owner.client.post(`${owner.path}/billing/portal`, {});
    expect((await portal()).json().code).toBe('no_customer');
    await checkout(owner);
    const { id } = stripe.customerOf(owner.organizationId);
    expect((await portal()).json().url).toContain(`/${id}?to=http://localhost:3000/billing`);
  });
});

describe('what a plan includes', () => {
  const report = ({ client, path }: Owner, id: string) =>
    client.post(`${path}/test-reports/${id}`, {});

  it('a route lets pass, and names the plans that have it otherwise', async () => {
    const owner = await signUpOwner(test.app, 'entitled');
    const refused = await report(owner, 'one');
    expect([refused.statusCode, refused.json()]).toMatchObject([
      402,
      {
        code: 'not_in_plan',
        detail: 'The plan None does not include testing: it takes Solo or Crew',
      },
    ]);
    const subscription = await subscribe(owner, PRICES.solo);
    expect((await report(owner, 'one')).statusCode).toBe(200);
    subscription.status = 'unpaid';
    await tell(subscription);
    expect((await report(owner, 'one')).statusCode).toBe(402);
  });

  it('is counted once for each identifier, and Stripe told once', async () => {
    const owner = await signUpOwner(test.app, 'counted');
    const other = await signUpOwner(test.app, 'counted-too');
    const { customer } = await subscribe(owner, PRICES.solo);
    await subscribe(other, PRICES.solo);
    const answers = await Promise.all(['a', 'a', 'b', 'a'].map((id) => report(owner, id)));
    const counted = answers.filter((each) => each.json().counted);
    expect(counted).toHaveLength(2);
    expect((await report(other, 'a')).json()).toEqual({ counted: true });
    await settle(test);
    const mine = () =>
      [...stripe.meterEvents.values()].filter(
        (form) => form['payload[stripe_customer_id]'] === customer,
      );
    expect(mine()).toHaveLength(2);
    expect(mine()[0]).toMatchObject({ event_name: METER, 'payload[value]': '5' });
    const total = await withTenant(test.database, owner.organizationId, (tx) =>
      usageSince(tx, METER, new Date(0)),
    );
    expect(total).toBe(10);
    // A process was killed after Stripe had heard of it, and before that was written down.
    await withTenant(test.database, owner.organizationId, async (tx) => {
      const forgotten = await tx.update(billingUsage).set({ sentAt: null }).returning();
      for (const { id } of forgotten) await enqueue(tx, sendUsage, { usageId: id });
    });
    await settle(test);
    const { rows } = await withTenant(test.database, owner.organizationId, (tx) =>
      tx.execute(sql`select from billing_usage where sent_at is null`),
    );
    expect(rows).toEqual([]);
    expect(mine()).toHaveLength(2);
  });
});

describe('seats', () => {
  async function guests(owner: Owner, count: number) {
    const all: { client: Client; body: object }[] = [];
    for (let number = 0; number < count; number += 1) {
      const email = `guest-${crypto.randomUUID()}@example.com`;
      const body = await invite(test, owner.client, {
        email,
        role: 'member',
        organizationId: owner.organizationId,
      });
      all.push({ client: await signUp(test.app, email), body });
    }
    return all;
  }

  it('are never more than the plan has, however many accept at once', async () => {
    const owner = await signUpOwner(test.app, 'seated');
    const subscription = await subscribe(owner, PRICES.crew, { quantity: 3 });
    const accept = async ({ client, body }: { client: Client; body: object }) => {
      const response = await client.post('/api/auth/organization/accept-invitation', body);
      return response.statusCode === 200 ? 'in' : response.json().code;
    };
    const invited = await guests(owner, 5);
    const outcomes = await Promise.all(invited.map(accept));
    expect(outcomes.toSorted()).toEqual([
      'in',
      'in',
      'no_seat_left',
      'no_seat_left',
      'no_seat_left',
    ]);
    expect((await billingOf(owner)).seats).toEqual({ used: 3, total: 3 });

    // Who was refused is still invited, and comes in as soon as there is a seat.
    subscription.quantity = 4;
    await tell(subscription);
    const refused = invited.filter((_, index) => outcomes[index] !== 'in');
    const later = await Promise.all(refused.map(accept));
    expect(later.filter((each) => each === 'in')).toHaveLength(1);
  });

  it('are those of the default plan without a subscription, also for SQL of your own', async () => {
    const owner = await signUpOwner(test.app, 'unpaid');
    await addMember(test, owner.client, 'second@example.com', 'member');
    await signUp(test.app, 'third@example.com');
    const insert = test.database.db.execute(sql`
      insert into members (id, organization_id, user_id)
      select 'third', ${owner.organizationId}, id from users where email = 'third@example.com'`);
    await expect(insert).rejects.toMatchObject({
      cause: { message: 'The plan None has no more than 2 seats' },
    });
  });
});

describe('an organization that is deleted', () => {
  it('pays for nothing any more', async () => {
    const owner = await signUpOwner(test.app, 'leaving');
    const subscription = await subscribe(owner, PRICES.solo);
    const { organizationId } = owner;
    const remove = () => owner.client.post('/api/auth/organization/delete', { organizationId });
    stripe.failure = 500;
    const asked = stripe.requests.length;
    expect((await remove()).statusCode).toBe(200);
    // Stripe is away, so it is tried again.
    await expect.poll(() => stripe.requests.length, { timeout: 60_000 }).toBeGreaterThan(asked);
    stripe.failure = undefined;
    await settle(test);
    expect(subscription.status).toBe('canceled');
    // What Stripe tells of that is about nobody.
    await tell(subscription);
  });
});

describe('without its settings', () => {
  it('billing says which it lacks, and everything else is as it was', async () => {
    const env = { ...billingEnv('http://127.0.0.1:1'), STRIPE_WEBHOOK_SECRET: '' };
    const bare = await startApp({ env, extraModules: billingModules });
    try {
      const owner = await signUpOwner(bare.app, 'bare');
      const event = {
        method: 'POST',
        url: '/webhooks/stripe',
        ...signedEvent({ object: {} }),
      } as const;
      const portal = owner.client.post(`${owner.path}/billing/portal`, {});
      for (const response of [await checkout(owner), await portal, await bare.app.inject(event)]) {
        const { code, detail } = response.json<{ code: string; detail: string }>();
        expect([response.statusCode, code]).toEqual([503, 'billing_not_configured']);
        expect(detail).toContain('STRIPE_WEBHOOK_SECRET');
      }
      expect(await billingOf(owner)).toMatchObject({ plan: 'none', subscription: null });
      // Seats that nobody can buy are not counted.
      await addMember(bare, owner.client, 'bare-two@example.com', 'member');
      await addMember(bare, owner.client, 'bare-three@example.com', 'member');
    } finally {
      await bare.close();
    }
  });
});
