import { sql } from 'drizzle-orm';
import {
  customType,
  foreignKey,
  index,
  integer,
  pgPolicy,
  primaryKey,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { tenantTable } from '../../auth/tenant-table.ts';
import { moment, momentOrNull } from '../../db/moment.ts';

/** Of no fixed width: that is the model's, and another model may have another one. */
const vector = customType<{ data: readonly number[]; driverData: string }>({
  dataType: () => 'vector',
  toDriver: (numbers) => JSON.stringify(numbers),
  fromDriver: (numbers) => JSON.parse(numbers),
});

const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' });

/** What looks for work looks at all organizations: `findWork` says that it does. */
const ofWorker = sql`current_setting('app.search_worker', true) = 'on'`;

/**
 * For what reads many documents: the tenant's policy says the same, but since the worker's says
 * something else, no index serves them both, and all organizations' documents would be read.
 */
export const ofTenant = sql`organization_id = current_setting('app.organization_id', true)`;

export const documents = tenantTable(
  'search_documents',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    title: text('title').notNull(),
    text: text('text').notNull(),
    status: text('status', { enum: ['pending', 'ready', 'failed', 'given_up'] })
      .notNull()
      .default('pending'),
    problem: text('problem'),
    /** What made its vectors, or was not able to: see `Embedded`. */
    encoder: text('encoder'),
    /** How often the service has failed on it. */
    attempts: integer('attempts').notNull().default(0),
    nextAttemptAt: momentOrNull('next_attempt_at'),
    createdAt: moment('created_at').defaultNow(),
    words: tsvector('words').generatedAlwaysAs(
      sql`setweight(to_tsvector('english', title), 'A') || to_tsvector('english', text)`,
    ),
  },
  (table) => [
    unique('search_documents_of_organization').on(table.id, table.organizationId),
    index('search_documents_by_age').on(table.organizationId, table.createdAt, table.id),
    index('search_documents_pending').on(table.organizationId).where(sql`status = 'pending'`),
    pgPolicy('search_documents_of_worker', { using: ofWorker, withCheck: ofWorker }),
  ],
);

/** A document in pieces that the model can take, and their vectors. */
export const passages = tenantTable(
  'search_passages',
  {
    documentId: uuid('document_id').notNull(),
    place: integer('place').notNull(),
    text: text('text').notNull(),
    encoder: text('encoder').notNull(),
    embedding: vector('embedding').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.documentId, table.place] }),
    foreignKey({
      name: 'search_passages_of_document',
      columns: [table.documentId, table.organizationId],
      foreignColumns: [documents.id, documents.organizationId],
    }).onDelete('cascade'),
    index('search_passages_by_encoder').on(table.organizationId, table.encoder),
  ],
);

export type DocumentRow = typeof documents.$inferSelect;
