import { sql } from 'drizzle-orm';
import { timestamp } from 'drizzle-orm/pg-core';

/** A column of milliseconds, as JavaScript has them: a finer time would not survive a cursor. */
export function moment(name: string) {
  return momentOrNull(name).notNull();
}

/** The same, for what may not have happened yet. */
export function momentOrNull(name: string) {
  return timestamp(name, { withTimezone: true, precision: 3 });
}

/** The database's time for such a column. PostgreSQL would round `now()`, every other time into the future. */
export const thisMoment = sql`date_trunc('milliseconds', now())`;
