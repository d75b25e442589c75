import { sql } from 'drizzle-orm';
import {
  boolean,
  index,
  integer,
  pgPolicy,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { tenantTable } from '../../auth/tenant-table.ts';
import { moment, momentOrNull } from '../../db/moment.ts';

// Not in schema.ts, whose migrations are the application's: these are in drizzle/ beside this file.

/** An organization's customer at Stripe, and its subscription as Stripe last told of it. */
export const billingAccounts = tenantTable(
  'billing_accounts',
  {
    customerId: text('customer_id'),
    /** The idempotency key with which the customer is made, so that two who ask at once get the same. */
    creationKey: uuid('creation_key').notNull().defaultRandom(),
    /** One more with each state: what was read before the last one is not written after it. */
    revision: integer('revision').notNull().default(0),
    hadSubscription: boolean('had_subscription').notNull().default(false),
    subscriptionId: text('subscription_id'),
    status: text('status'),
    plan: text('plan'),
    interval: text('interval', { enum: ['month', 'year'] }),
    quantity: integer('quantity'),
    trialEndsAt: momentOrNull('trial_ends_at'),
    periodEndsAt: momentOrNull('period_ends_at'),
    endsAt: momentOrNull('ends_at'),
    graceEndsAt: momentOrNull('grace_ends_at'),
    createdAt: moment('created_at').defaultNow(),
    updatedAt: moment('updated_at').defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId] }),
    unique('billing_accounts_customer').on(table.customerId),
    // Stripe names its customer, and the organization is not known yet.
    pgPolicy('billing_accounts_by_customer', {
      for: 'select',
      using: sql`customer_id = current_setting('app.billing_customer', true)`,
    }),
  ],
);

/** The events that have come, by Stripe's ids: a second time they are not news. */
export const billingEvents = pgTable(
  'billing_events',
  {
    id: text('id').primaryKey(),
    type: text('type').notNull(),
    receivedAt: moment('received_at').defaultNow(),
  },
  (table) => [index('billing_events_by_age').on(table.receivedAt)],
);

/** What an organization has used of something that is counted. */
export const billingUsage = tenantTable(
  'billing_usage',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    /** Of the caller's choice: what has the same is the same. */
    identifier: text('identifier').notNull(),
    meter: text('meter').notNull(),
    value: integer('value').notNull(),
    usedAt: moment('used_at').defaultNow(),
    sentAt: momentOrNull('sent_at'),
  },
  (table) => [
    unique('billing_usage_identifier').on(table.organizationId, table.meter, table.identifier),
    index('billing_usage_by_age').on(table.organizationId, table.meter, table.usedAt),
  ],
);

/** What PostgreSQL has to know of plans.ts to keep to the seats; empty where nobody can pay. */
export const billingPlans = pgTable('billing_plans', {
  name: text('name').primaryKey(),
  title: text('title').notNull(),
  seats: integer('seats'),
  isPaidBySeat: boolean('is_paid_by_seat').notNull(),
  isDefault: boolean('is_default').notNull(),
});
