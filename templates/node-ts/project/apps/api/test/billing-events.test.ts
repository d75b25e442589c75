import type { Billing } from '@app/contracts';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../src/db/tenant.ts';
import { refresh } from '../src/modules/billing/jobs.ts';
import { enqueue } from '../src/queue/job.ts';
import { signUpOwner, startApp, type TestApp } from './support/app.ts';
import { billingEnv, billingModules, PRICES, settle } from './support/billing.ts';
import { StripeServer, type Subscription, signedEvent } from './support/stripe-server.ts';

const PATH = '/webhooks/stripe';
const DAY_S = 86_400;

const stripe = new StripeServer();
let test: TestApp;

beforeAll(async () => {
  test = await startApp({ env: billingEnv(await stripe.start()), extraModules: billingModules });
});
afterAll(async () => {
  await test.close();
  await stripe.stop();
});

type Owner = Awaited<ReturnType<typeof signUpOwner>>;
type Event = ReturnType<typeof signedEvent>;

/** Somebody whose organization is a customer already. */
async function newCustomer(slug: string) {
  const owner = await signUpOwner(test.app, slug);
  const body = { plan: 'solo', interval: 'month' };
  const begun = await owner.client.post(`${owner.path}/billing/checkout`, body);
  expect(begun.statusCode, begun.body).toBe(201);
  return { ...owner, customer: stripe.customerOf(owner.organizationId).id };
}

async function billingOf({ client, path }: Owner): Promise<Billing> {
  return (await client.get(`${path}/billing`)).json();
}

const deliver = (event: Event) => test.app.inject({ method: 'POST', url: PATH, ...event });

async function stored(): Promise<number> {
  const { rows } = await test.database.db.execute<{ count: string }>(
    sql`select count(*) from billing_events`,
  );
  return Number(rows[0]?.count);
}

/** How often the application was told to look, by now. */
async function refreshes(): Promise<number> {
  const { rows } = await test.database.db.execute<{ count: string }>(
    sql`select count(*) from queue.job where name = 'billing.refresh'`,
  );
  return Number(rows[0]?.count);
}

/** The same numbers again for the same seed. */
function randomFrom(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('an event', () => {
  it('has its subscription read at Stripe, whatever it says itself', async () => {
    const owner = await newCustomer('hint');
    stripe.subscribe(owner.customer, PRICES.soloYear);
    const lie = { customer: owner.customer, status: 'canceled', items: { data: [] } };
    expect((await deliver(signedEvent({ object: lie }))).json()).toEqual({ received: true });
    await settle(test);
    expect(await billingOf(owner)).toMatchObject({
      plan: 'solo',
      entitlements: ['testing'],
      subscription: { status: 'active', interval: 'year' },
    });
  });

  it('that comes twice is news once, also at the same time', async () => {
    const owner = await newCustomer('twice');
    const event = signedEvent({ object: { customer: { id: owner.customer } } });
    const before = await stored();
    const answers = await Promise.all([1, 2, 3].map(() => deliver(event)));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
    expect(await stored()).toBe(before + 1);
    const { rows } = await test.database.db.execute(
      sql`select id from queue.job where name = 'billing.refresh'
        and data->'payload'->>'customerId' = ${owner.customer}`,
    );
    expect(rows).toHaveLength(1);
  });

  const forged: [string, () => Event][] = [
    ['signed with another secret', () => signedEvent({ object: {} }, { secret: 'whsec_other' })],
    ['signed too long ago', () => signedEvent({ object: {} }, { secondsAgo: 600 })],
    [
      'changed after it was signed',
      () => {
        const { payload, headers } = signedEvent({ object: { customer: 'cus_1' } });
        return { headers, payload: payload.replace('cus_1', 'cus_2') };
      },
    ],
    [
      'with a signature that is none',
      () => {
        const { payload, headers } = signedEvent({ object: {} });
        return { payload, headers: { ...headers, 'stripe-signature': 't=1,v1=00' } };
      },
    ],
  ];
  it.each(forged)('%s is refused, and leaves nothing behind', async (_, make) => {
    const before = [await stored(), await refreshes()];
    const response = await deliver(make());
    expect([response.statusCode, response.json().code]).toEqual([400, 'event_refused']);
    expect([await stored(), await refreshes()]).toEqual(before);
  });

  it('without a signature, of another type or too large is refused before it is looked at', async () => {
    const { payload, headers } = signedEvent({ object: { text: 'x'.repeat(1_100_000) } });
    expect((await deliver({ payload, headers })).statusCode).toBe(413);
    const json = { 'content-type': 'application/json' };
    const unsigned = { method: 'POST', url: PATH, headers: json, payload: '{}' } as const;
    expect((await test.app.inject(unsigned)).statusCode).toBe(400);
    const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' };
    expect((await deliver({ payload: 'a=1', headers: form })).statusCode).toBe(415);
  });

  it('about a customer that is not ours, or about none, is taken and does nothing', async () => {
    const jobs = await refreshes();
    const before = await stored();
    for (const object of [
      { customer: 'cus_of_another_application' },
      { id: 'prod_1' },
      { customer: 7 },
    ]) {
      expect((await deliver(signedEvent({ object }))).statusCode).toBe(200);
    }
    expect(await refreshes()).toBe(jobs);
    expect(await stored()).toBe(before + 3);
  });

  it('while Stripe is away waits, and nothing of it is lost', async () => {
    const owner = await newCustomer('outage');
    stripe.subscribe(owner.customer, PRICES.solo);
    stripe.failure = 500;
    const asked = stripe.requests.length;
    expect((await deliver(signedEvent({ object: { customer: owner.customer } }))).statusCode).toBe(
      200,
    );
    await test.app.jobs.start();
    await expect.poll(() => stripe.requests.length, { timeout: 60_000 }).toBeGreaterThan(asked);
    stripe.failure = undefined;
    await settle(test);
    expect((await billingOf(owner)).plan).toBe('solo');
  });
});

describe('a state', () => {
  it('that was read first and comes last does not win', async () => {
    const owner = await newCustomer('late');
    const subscription = stripe.subscribe(owner.customer, PRICES.solo);
    const late = Promise.withResolvers<void>();
    stripe.hold = late.promise;
    await test.app.jobs.start();
    await deliver(signedEvent({ object: { customer: owner.customer } }));
    // It was read, and is on its way.
    await expect.poll(() => stripe.hold === undefined, { timeout: 60_000 }).toBe(true);
    subscription.price = PRICES.crew;
    await deliver(signedEvent({ object: { customer: owner.customer } }));
    await expect.poll(async () => (await billingOf(owner)).plan, { timeout: 60_000 }).toBe('crew');
    late.resolve();
    await settle(test);
    expect((await billingOf(owner)).plan).toBe('crew');
  });

  it('that was written while a newer one was on its way does not stay', async () => {
    const owner = await newCustomer('overtaken');
    const subscription = stripe.subscribe(owner.customer, PRICES.solo);
    const [older, newer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await test.app.jobs.start();
    for (const { promise } of [older, newer]) {
      stripe.hold = promise;
      await deliver(signedEvent({ object: { customer: owner.customer } }));
      await expect.poll(() => stripe.hold === undefined, { timeout: 60_000 }).toBe(true);
      subscription.price = PRICES.crew;
    }
    older.resolve();
    await expect.poll(async () => (await billingOf(owner)).plan, { timeout: 60_000 }).toBe('solo');
    newer.resolve();
    await settle(test);
    expect((await billingOf(owner)).plan).toBe('crew');
  });

  it('of a customer that the organization has no more is not its own', async () => {
    const [owner, former] = [await newCustomer('has-another'), await newCustomer('had-before')];
    stripe.subscribe(former.customer, PRICES.crew);
    await withTenant(test.database, owner.organizationId, (tx) =>
      enqueue(tx, refresh, { customerId: former.customer }),
    );
    await settle(test);
    expect(await billingOf(owner)).toMatchObject({ plan: 'none', subscription: null });
  });

  it('of a subscription with a price that no plan has is left to an operator', async () => {
    const owner = await newCustomer('unknown-price');
    stripe.subscribe(owner.customer, 'price_of_nothing');
    await deliver(signedEvent({ object: { customer: owner.customer } }));
    await settle(test);
    expect(await billingOf(owner)).toMatchObject({ plan: 'none', subscription: null });
    const { rows } = await test.database.db.execute<{ reason: string }>(sql`
      select source_output->>'message' as reason from queue.job
      where name = 'dead-letters' and data->>'organizationId' = ${owner.organizationId}`);
    expect(rows.map(({ reason }) => reason)).toEqual([
      'No plan has the price price_of_nothing: name it in plans.ts and the environment',
    ]);
  });

  it.each([
    ['first', ['active', 'incomplete']],
    ['last', ['incomplete', 'active']],
  ])('of several subscriptions is that of the best one, which came %s', async (which, all) => {
    const owner = await newCustomer(`several-${which}`);
    for (const status of all) {
      stripe.subscribe(owner.customer, status === 'active' ? PRICES.solo : PRICES.crew, { status });
    }
    await deliver(signedEvent({ object: { customer: owner.customer } }));
    await settle(test);
    expect(await billingOf(owner)).toMatchObject({ plan: 'solo', subscription: { plan: 'solo' } });
  });

  it('of a customer that was deleted at Stripe is none, and the next one is another', async () => {
    const owner = await newCustomer('deleted-there');
    stripe.subscribe(owner.customer, PRICES.solo);
    const customer = stripe.customerOf(owner.organizationId);
    customer.deleted = true;
    await deliver(signedEvent({ type: 'customer.deleted', object: { id: owner.customer } }));
    await settle(test);
    expect(await billingOf(owner)).toMatchObject({ plan: 'none', subscription: null });
    const body = { plan: 'solo', interval: 'month' };
    const again = await owner.client.post(`${owner.path}/billing/checkout`, body);
    expect(again.statusCode, again.body).toBe(201);
    expect(stripe.customerOf(owner.organizationId).id).not.toBe(owner.customer);
  });

  it('past due keeps the plan for a time of grace, counted from the oldest open bill', async () => {
    const owner = await newCustomer('past-due');
    const now = Math.floor(Date.now() / 1_000);
    const subscription = stripe.subscribe(owner.customer, PRICES.solo, {
      status: 'past_due',
      unpaid: [now, now - 6 * DAY_S],
    });
    const tell = async () => {
      await deliver(signedEvent({ object: { customer: owner.customer } }));
      await settle(test);
      return billingOf(owner);
    };
    expect(await tell()).toMatchObject({
      plan: 'solo',
      subscription: { graceEndsAt: new Date((now + DAY_S) * 1_000).toISOString() },
    });
    subscription.unpaid.push(now - 8 * DAY_S);
    expect(await tell()).toMatchObject({ plan: 'none', subscription: { status: 'past_due' } });
  });
});

describe('events in any order, and any number of times', () => {
  const CHANGES: readonly ((subscription: Subscription, now: number) => void)[] = [
    (each) => Object.assign(each, { status: 'active', trial_end: null, unpaid: [] }),
    (each, now) => Object.assign(each, { status: 'trialing', trial_end: now + DAY_S }),
    (each, now) => Object.assign(each, { status: 'past_due', unpaid: [now - DAY_S] }),
    (each) => Object.assign(each, { status: 'unpaid' }),
    (each) => Object.assign(each, { status: 'canceled' }),
    (each) => Object.assign(each, { price: PRICES.crew, quantity: 5 }),
    (each) => Object.assign(each, { price: PRICES.soloYear, quantity: 1 }),
    (each) => Object.assign(each, { cancel_at_period_end: !each.cancel_at_period_end }),
  ];

  /** What the application has to say of it, worked out another way than it does. */
  function expected(subscription: Subscription) {
    const { status, price } = subscription;
    if (status === 'canceled') return { plan: 'none', subscription: null };
    const plan = price === PRICES.crew ? 'crew' : 'solo';
    const endsAt = subscription.cancel_at_period_end
      ? new Date(subscription.period.end * 1_000).toISOString()
      : null;
    const counts = status !== 'unpaid';
    return { plan: counts ? plan : 'none', subscription: { status, plan, endsAt } };
  }

  let owner: Awaited<ReturnType<typeof newCustomer>>;
  beforeAll(async () => {
    owner = await newCustomer('shuffled');
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('end as Stripe has it (seed %i)', async (seed) => {
    const random = randomFrom(seed);
    // What the seeds before have left is over.
    for (const each of stripe.subscriptions.values()) {
      if (each.customer === owner.customer) each.status = 'canceled';
    }
    const subscription = stripe.subscribe(owner.customer, PRICES.solo);
    const events: Event[] = [];
    const before = await stored();
    for (let change = 0; change < 6; change += 1) {
      CHANGES[random(CHANGES.length)]?.(subscription, Math.floor(Date.now() / 1_000));
      events.push(signedEvent({ object: { customer: owner.customer, status: 'stale' } }));
      // Some come at once, others in the end.
      if (random(2) === 0) await deliver(events[random(events.length)] as Event);
    }
    const late = [...events, ...events].toSorted(() => random(3) - 1);
    await Promise.all(late.map(deliver));
    await settle(test);
    expect(await billingOf(owner)).toMatchObject(expected(subscription));
    expect(await stored()).toBe(before + events.length);
  });
});
