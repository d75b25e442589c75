import { accessOf, BY_SESSION_OR_API_KEY, ORGANIZATION_PATH } from '../../src/auth/access.ts';
import { withTenant } from '../../src/db/tenant.ts';
import { defineModule } from '../../src/module.ts';
import { createBilling } from '../../src/modules/billing/billing.ts';
import { Catalogue, type Entitlement, type Meter } from '../../src/modules/billing/catalogue.ts';
import { entitles } from '../../src/modules/billing/entitlements.ts';
import { recordUsage } from '../../src/modules/billing/usage.ts';
import type { TestApp } from './app.ts';
import { READ_NOTES } from './notes.ts';
import { STRIPE_KEY, STRIPE_SECRET } from './stripe-server.ts';

/** Plans of the tests' own, so that those of plans.ts are nobody's business but yours. */
const catalogue = new Catalogue(
  {
    none: { title: 'None', entitlements: [], seats: 2, trialDays: 0, prices: {} },
    solo: {
      title: 'Solo',
      entitlements: ['testing'],
      seats: 4,
      trialDays: 14,
      prices: { month: 'TEST_PRICE_SOLO', year: 'TEST_PRICE_SOLO_YEAR' },
      usagePrices: ['TEST_PRICE_USAGE'],
    },
    crew: {
      title: 'Crew',
      entitlements: ['testing'],
      seats: 'paid',
      trialDays: 0,
      prices: { month: 'TEST_PRICE_CREW' },
    },
    whole: {
      title: 'Whole',
      entitlements: [],
      seats: 'unlimited',
      trialDays: 0,
      prices: { month: 'TEST_PRICE_NOT_SET' },
    },
  },
  'none',
  7,
);

export const PRICES = { solo: 'price_solo', soloYear: 'price_solo_year', crew: 'price_crew' };
export const METER = 'test_calls' as Meter;

export const billingEnv = (url: string) => ({
  STRIPE_SECRET_KEY: STRIPE_KEY,
  STRIPE_WEBHOOK_SECRET: STRIPE_SECRET,
  STRIPE_API_URL: url,
  TEST_PRICE_SOLO: PRICES.solo,
  TEST_PRICE_SOLO_YEAR: PRICES.soloYear,
  TEST_PRICE_USAGE: 'price_usage',
  TEST_PRICE_CREW: PRICES.crew,
});

/** Something that only some plans have, and that is counted. */
const reports = defineModule({
  name: 'test-reports',
  register(app, { database, requires }) {
    app.post<{ Params: { id: string } }>(
      `${ORGANIZATION_PATH}/test-reports/:id`,
      {
        preParsing: [requires(READ_NOTES), entitles(database, 'testing' as Entitlement, catalogue)],
        schema: { security: BY_SESSION_OR_API_KEY },
      },
      async (request) => {
        const usage = { meter: METER, value: 5, identifier: request.params.id };
        return withTenant(database, accessOf(request).organizationId, async (tx) => ({
          counted: await recordUsage(tx, usage),
        }));
      },
    );
  },
});

export const billingModules = [createBilling(catalogue), reports];

/** Runs jobs until none of billing's is left. */
export async function settle(test: TestApp): Promise<void> {
  await test.app.jobs.start();
  await until(async () => (await waitingJobs(test)) === 0);
}

async function waitingJobs({ database }: TestApp): Promise<number> {
  const { rows } = await database.db.execute<{ count: string }>(
    `select count(*) from queue.job where name like 'billing.%' and state < 'completed'`,
  );
  return Number(rows[0]?.count);
}

export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('It did not come about in a minute');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
