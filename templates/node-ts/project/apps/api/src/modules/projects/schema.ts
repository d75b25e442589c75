import { sql } from 'drizzle-orm';
import {
  index,
  integer,
  pgPolicy,
  pgTable,
  text,
  timestamp,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { organizations } from '../../auth/schema.ts';

// Milliseconds, as JavaScript has them: a finer time would not survive a cursor.
const moment = (name: string) =>
  timestamp(name, { withTimezone: true, precision: 3 }).notNull().defaultNow();

/** The rows of the organization that `withTenant` has named; with no name, none. */
const ofTenant = sql`organization_id = current_setting('app.organization_id', true)`;

export const projects = pgTable(
  'projects',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    organizationId: text('organization_id')
      .notNull()
      .default(sql`current_setting('app.organization_id', true)`)
      .references(() => organizations.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    description: text('description').notNull().default(''),
    status: text('status', { enum: ['active', 'archived'] })
      .notNull()
      .default('active'),
    version: integer('version').notNull().default(1),
    createdAt: moment('created_at'),
    updatedAt: moment('updated_at'),
  },
  (table) => [
    unique('projects_name_in_organization').on(table.organizationId, table.name),
    index('projects_by_age').on(table.organizationId, table.createdAt, table.id),
    pgPolicy('projects_of_tenant', { using: ofTenant, withCheck: ofTenant }),
  ],
);
