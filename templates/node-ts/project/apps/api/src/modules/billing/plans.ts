/** What organizations can have, and what it gives them. All of this file is yours to change. */
interface Plan {
  readonly title: string;
  /** What routes ask for with `entitles(...)`. */
  readonly entitlements: readonly string[];
  /** How many members there may be: a number, as many as are paid for, or as many as there is room for. */
  readonly seats: number | 'paid' | 'unlimited';
  /** Days for which an organization's first subscription costs nothing. */
  readonly trialDays: number;
  /** Environment variables that name the plan's prices at Stripe; without any, nobody can buy it. */
  readonly prices: { readonly month?: string; readonly year?: string };
  /** The same for prices by usage that come on top. */
  readonly usagePrices?: readonly string[];
}

export const plans = {
  free: { title: 'Free', entitlements: [], seats: 3, trialDays: 0, prices: {} },
  pro: {
    title: 'Pro',
    entitlements: ['reports'],
    seats: 10,
    trialDays: 14,
    prices: { month: 'STRIPE_PRICE_PRO_MONTH', year: 'STRIPE_PRICE_PRO_YEAR' },
    usagePrices: ['STRIPE_PRICE_PRO_USAGE'],
  },
  team: {
    title: 'Team',
    entitlements: ['reports', 'audit-log'],
    seats: 'paid',
    trialDays: 14,
    prices: { month: 'STRIPE_PRICE_TEAM_MONTH', year: 'STRIPE_PRICE_TEAM_YEAR' },
  },
} as const satisfies Record<string, Plan>;

/** Whoever has no subscription has this one. */
export const DEFAULT_PLAN: keyof typeof plans = 'free';

/** How long a plan goes on after a payment has failed. */
export const GRACE_DAYS = 7;

/** What is counted, by the `event_name` of its meter at Stripe. */
export const meters = ['api_calls'] as const;
