import { sql } from 'drizzle-orm';
import { boolean, index, integer, pgPolicy, text, unique, uuid } from 'drizzle-orm/pg-core';
import { tenantTable } from '../../auth/tenant-table.ts';
import { moment, momentOrNull } from '../../db/moment.ts';

// Not named schema.ts: its migrations are the template's, in drizzle/ beside this file.

/** Where an organization wants its events sent. Secrets are encrypted: see secrets.ts. */
export const webhookEndpoints = tenantTable(
  'webhook_endpoints',
  {
    id: uuid('id').primaryKey(),
    url: text('url').notNull(),
    description: text('description').notNull(),
    eventTypes: text('event_types').array().notNull(),
    isEnabled: boolean('is_enabled').notNull().default(true),
    disabledBecause: text('disabled_because', { enum: ['gone', 'failing'] }),
    secret: text('secret').notNull(),
    previousSecret: text('previous_secret'),
    previousUntil: momentOrNull('previous_until'),
    /** Since the first failure behind which nothing has succeeded. */
    failingSince: momentOrNull('failing_since'),
    /** The receiver's Retry-After. */
    pausedUntil: momentOrNull('paused_until'),
    version: integer('version').notNull().default(1),
    createdAt: moment('created_at').defaultNow(),
  },
  (table) => [
    unique('webhook_endpoints_url_in_organization').on(table.organizationId, table.url),
    index('webhook_endpoints_by_age').on(table.organizationId, table.createdAt, table.id),
  ],
);

/** What `deleteOldDeliveries` sees: of all organizations, and nothing that is new. */
const swept = sql`current_setting('app.webhook_retention', true) = 'on' and created_at < now() - interval '1 day'`;

/** One message to one endpoint. */
export const webhookDeliveries = tenantTable(
  'webhook_deliveries',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    endpointId: uuid('endpoint_id')
      .notNull()
      .references(() => webhookEndpoints.id, { onDelete: 'cascade' }),
    /** The same for all endpoints, and for all attempts. */
    messageId: text('message_id').notNull(),
    eventType: text('event_type').notNull(),
    /** The body as it is signed and sent. */
    payload: text('payload').notNull(),
    status: text('status', { enum: ['pending', 'delivered', 'failed'] })
      .notNull()
      .default('pending'),
    attempts: integer('attempts').notNull().default(0),
    /** How many of them were made before it was last sent by hand, which begins the pauses anew. */
    earlierAttempts: integer('earlier_attempts').notNull().default(0),
    lastAttemptAt: momentOrNull('last_attempt_at'),
    responseStatus: integer('response_status'),
    error: text('error'),
    nextAttemptAt: momentOrNull('next_attempt_at'),
    createdAt: moment('created_at').defaultNow(),
  },
  (table) => [
    unique('webhook_deliveries_once').on(table.endpointId, table.messageId),
    index('webhook_deliveries_by_age').on(table.organizationId, table.createdAt, table.id),
    index('webhook_deliveries_of_endpoint').on(table.endpointId, table.createdAt, table.id),
    index('webhook_deliveries_to_sweep').on(table.createdAt),
    pgPolicy('webhook_deliveries_swept_read', { for: 'select', using: swept }),
    pgPolicy('webhook_deliveries_swept', { for: 'delete', using: swept }),
  ],
);
