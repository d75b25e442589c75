import { sql } from 'drizzle-orm';
import {
  bigint,
  index,
  jsonb,
  pgPolicy,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { users } from '../../auth/schema.ts';
import { tenantTable } from '../../auth/tenant-table.ts';
import { moment } from '../../db/moment.ts';

// Their migrations are in drizzle/ beside this file.

/** How many events an organization has had: the number of its last one. */
export const liveSequences = tenantTable(
  'live_sequences',
  { last: bigint('last', { mode: 'number' }).notNull() },
  (table) => [primaryKey({ columns: [table.organizationId] })],
);

/** What was told to whoever listens, for as long as somebody may ask for what they have missed. */
export const liveEvents = tenantTable(
  'live_events',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    /** 1, 2, 3 … in each organization, given at the commit; null only within the transaction. */
    sequence: bigint('sequence', { mode: 'number' }),
    type: text('type').notNull(),
    /** The permission without which nobody hears of it. */
    audience: text('audience').notNull(),
    data: jsonb('data').notNull(),
    at: moment('at').defaultNow(),
  },
  (table) => [
    unique('live_events_sequence_in_organization').on(table.organizationId, table.sequence),
    index('live_events_by_age').on(table.at),
    // Old ones are deleted for all organizations at once, and nothing else can be done to them so.
    pgPolicy('live_events_over', {
      using: sql`at < nullif(current_setting('app.live_events_before', true), '')::timestamptz`,
    }),
  ],
);

/** Processes to which people are connected. One that says nothing any more is over after a while. */
export const liveProcesses = pgTable('live_processes', {
  id: uuid('id').primaryKey(),
  until: moment('until'),
});

/** Who is connected, and to which process. */
export const livePresence = tenantTable(
  'live_presence',
  {
    process: uuid('process')
      .notNull()
      .references(() => liveProcesses.id, { onDelete: 'cascade' }),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.process, table.userId] }),
    index('live_presence_by_process').on(table.process),
    // Who is left behind by a process that is over is looked for in all organizations.
    pgPolicy('live_presence_of_process', {
      for: 'select',
      using: sql`process = nullif(current_setting('app.live_process', true), '')::uuid`,
    }),
  ],
);
