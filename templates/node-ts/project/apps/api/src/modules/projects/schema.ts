import { index, integer, text, unique, uuid } from 'drizzle-orm/pg-core';
import { tenantTable } from '../../auth/tenant-table.ts';
import { moment } from '../../db/moment.ts';

export const projects = tenantTable(
  'projects',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    name: text('name').notNull(),
    description: text('description').notNull().default(''),
    status: text('status', { enum: ['active', 'archived'] })
      .notNull()
      .default('active'),
    version: integer('version').notNull().default(1),
    createdAt: moment('created_at').defaultNow(),
    updatedAt: moment('updated_at').defaultNow(),
  },
  (table) => [
    unique('projects_name_in_organization').on(table.organizationId, table.name),
    index('projects_by_age').on(table.organizationId, table.createdAt, table.id),
  ],
);
