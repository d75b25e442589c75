import { sql } from 'drizzle-orm';
import { bigint, pgPolicy, primaryKey, text } from 'drizzle-orm/pg-core';
import { tenantTable } from '../../auth/tenant-table.ts';

// Its migrations are in drizzle/ beside this file.

/** The worker gives back what failed, of all organizations: see jobs/queue.ts. */
const ofWorker = sql`current_setting('app.job_worker', true) = 'on'`;

/** How many predictions and tokens an organization was given in a month, those being made included. */
export const mlUsage = tenantTable(
  'ml_usage',
  {
    /** `2026-11`, by UTC. */
    month: text('month').notNull(),
    predictions: bigint('predictions', { mode: 'number' }).notNull(),
    /** Of language models. */
    tokens: bigint('tokens', { mode: 'number' }).notNull().default(0),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.month] }),
    pgPolicy('ml_usage_of_worker', { using: ofWorker, withCheck: ofWorker }),
  ],
);
