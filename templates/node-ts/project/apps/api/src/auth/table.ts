import { sql } from 'drizzle-orm';
import { index, integer, pgPolicy, pgTable, text, unique, uuid } from 'drizzle-orm/pg-core';
import { moment, momentOrNull } from '../db/moment.ts';
import { users } from './schema.ts';
import { tenantTable } from './tenant-table.ts';

// Not in schema.ts, whose migrations are the application's: what the template adds has a journal of
// its own, in drizzle/ beside this file.

const shownTo = (name: string) => text(name).references(() => users.id, { onDelete: 'set null' });

/** How often somebody has tried something on an account. */
export const authAttempts = pgTable(
  'auth_attempts',
  {
    /** A hash of what is tried, and on which account. */
    key: text('key').primaryKey(),
    count: integer('count').notNull(),
    endsAt: moment('ends_at'),
  },
  (table) => [index('auth_attempts_ended').on(table.endsAt)],
);

/**
 * Keys by which programs ask for one organization. Of a secret only a hash is kept; two are good at
 * a time, the newest and, for a while, the one before it. Each is worth what the person may do who
 * was shown it.
 */
export const apiKeys = tenantTable(
  'api_keys',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    name: text('name').notNull(),
    scopes: text('scopes').array().notNull(),
    hash: text('hash').notNull(),
    preview: text('preview').notNull(),
    madeBy: shownTo('made_by'),
    expiresAt: momentOrNull('expires_at'),
    previousHash: text('previous_hash'),
    previousMadeBy: shownTo('previous_made_by'),
    previousUntil: momentOrNull('previous_until'),
    lastUsedAt: momentOrNull('last_used_at'),
    createdAt: moment('created_at').defaultNow(),
  },
  (table) => [
    unique('api_keys_name_in_organization').on(table.organizationId, table.name),
    unique('api_keys_hash').on(table.hash),
    unique('api_keys_previous_hash').on(table.previousHash),
    index('api_keys_by_age').on(table.organizationId, table.createdAt, table.id),
    // Whoever holds a secret is let in by it alone, before the organization is known.
    pgPolicy('api_keys_by_secret', {
      for: 'select',
      using: sql`current_setting('app.api_key_hash', true) in (hash, previous_hash)`,
    }),
  ],
);
