import { sql } from 'drizzle-orm';
import { bigint, index, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { users } from '../../auth/schema.ts';
import { tenantTable } from '../../auth/tenant-table.ts';
import { moment, momentOrNull } from '../../db/moment.ts';

/**
 * A file is there once `storedAt` is. Before that the row keeps its place in the quota, while the
 * bytes come. They lie in the storage under the row's id.
 */
export const files = tenantTable(
  'files',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    name: text('name').notNull(),
    type: text('type').notNull(),
    size: bigint('size', { mode: 'number' }).notNull(),
    sha256: text('sha256'),
    uploadedBy: text('uploaded_by').references(() => users.id, { onDelete: 'set null' }),
    storedAt: momentOrNull('stored_at'),
    createdAt: moment('created_at').defaultNow(),
  },
  (table) => [
    index('files_by_age')
      .on(table.organizationId, table.createdAt, table.id)
      .where(sql`stored_at is not null`),
    index('files_by_size').on(table.organizationId, table.size),
    index('files_by_uploader').on(table.uploadedBy),
  ],
);

/**
 * Bytes that are to go, and when: those of a file that was deleted, with its organization or without,
 * and those of an upload that never came to its end. A trigger in drizzle/ keeps it, so that whatever
 * deletes a row leaves none of its bytes behind. It is no tenant's table: who is named in it may be gone.
 */
export const fileLeftovers = pgTable(
  'file_leftovers',
  {
    fileId: uuid('file_id').primaryKey(),
    tenant: text('tenant').notNull(),
    dueAt: moment('due_at'),
  },
  (table) => [index('file_leftovers_due').on(table.dueAt)],
);
