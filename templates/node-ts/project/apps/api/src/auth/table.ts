import { index, integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/**
 * How often somebody has tried something on an account. It is not in schema.ts, whose migrations are
 * the application's: what the template adds has a journal of its own, in drizzle/ beside this file.
 */
export const authAttempts = pgTable(
  'auth_attempts',
  {
    /** A hash of what is tried, and on which account. */
    key: text('key').primaryKey(),
    count: integer('count').notNull(),
    endsAt: timestamp('ends_at', { withTimezone: true, precision: 3 }).notNull(),
  },
  (table) => [index('auth_attempts_ended').on(table.endsAt)],
);
