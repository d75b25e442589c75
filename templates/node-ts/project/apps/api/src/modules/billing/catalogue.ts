import { z } from 'zod';
import { DEFAULT_PLAN, GRACE_DAYS, type meters, plans } from './plans.ts';

export type Interval = 'month' | 'year';
export type Meter = (typeof meters)[number];
export type Entitlement = (typeof plans)[keyof typeof plans]['entitlements'][number];

/** What a plan gives: plans.ts tells more of it. */
export interface PlanTerms {
  readonly title: string;
  readonly entitlements: readonly string[];
  readonly seats: number | 'paid' | 'unlimited';
  readonly trialDays: number;
  readonly prices: { readonly [Each in Interval]?: string };
  readonly usagePrices?: readonly string[];
}

export interface Plan extends PlanTerms {
  readonly name: string;
}

/** The module's environment. */
export type Env = Readonly<Record<string, string | undefined>> & {
  readonly STRIPE_API_URL: string;
};

const price = z.string().startsWith('price_', 'must be the id of a price (price_...)').optional();

/** Everything that there is to have and to buy. */
export class Catalogue {
  readonly all: readonly Plan[];
  readonly default: Plan;
  readonly graceDays: number;

  constructor(terms: Readonly<Record<string, PlanTerms>>, defaultName: string, graceDays: number) {
    this.all = Object.entries(terms).map(([name, plan]) => ({ name, ...plan }));
    const found = this.all.find(({ name }) => name === defaultName);
    if (!found) throw new Error(`There is no plan named ${defaultName}`);
    this.default = found;
    this.graceDays = graceDays;
  }

  /** Those that can be bought. */
  get buyable(): readonly Plan[] {
    return this.all.filter(({ prices }) => Object.keys(prices).length > 0);
  }

  /** The plan of that name; of one that there is no more, or of none, the default. */
  named(name: string | null | undefined): Plan {
    return this.all.find((plan) => plan.name === name) ?? this.default;
  }

  /** What a price at Stripe is for. */
  ofPrice(env: Env, id: string): { plan: Plan; interval: Interval } | undefined {
    for (const plan of this.buyable) {
      for (const interval of ['month', 'year'] as const) {
        const variable = plan.prices[interval];
        if (variable !== undefined && env[variable] === id) return { plan, interval };
      }
    }
    return undefined;
  }

  /** The module's settings. */
  get settings() {
    const variables = this.all.flatMap(({ prices, usagePrices = [] }) => [
      ...Object.values(prices),
      ...usagePrices,
    ]);
    return {
      STRIPE_SECRET_KEY: z.string().min(8, 'must be a secret or restricted key').optional(),
      STRIPE_WEBHOOK_SECRET: z
        .string()
        .startsWith('whsec_', "must be the endpoint's signing secret (whsec_...)")
        .optional(),
      STRIPE_API_URL: z.url({ protocol: /^https?$/ }).default('https://api.stripe.com'),
      ...Object.fromEntries(variables.map((name) => [name, price])),
    };
  }
}

/** The application's own. */
export const catalogue = new Catalogue(plans, DEFAULT_PLAN, GRACE_DAYS);
