import { index, jsonb, primaryKey, text } from 'drizzle-orm/pg-core';
import { tenantTable } from '../auth/tenant-table.ts';
import { moment } from '../db/moment.ts';

/** Requests that were done, by the keys that their senders gave them. Its migrations are in drizzle/. */
export const idempotencyKeys = tenantTable(
  'idempotency_keys',
  {
    /** A key is its sender's: others may use the same for something else. */
    sentBy: text('sent_by').notNull(),
    key: text('key').notNull(),
    /** A hash of the route and of what was sent. */
    fingerprint: text('fingerprint').notNull(),
    /** Null only within the transaction that does the request. */
    answer: jsonb('answer'),
    createdAt: moment('created_at').defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.sentBy, table.key] }),
    index('idempotency_keys_by_age').on(table.organizationId, table.createdAt),
  ],
);
