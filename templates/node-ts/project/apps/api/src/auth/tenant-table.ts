import { type BuildExtraConfigColumns, sql } from 'drizzle-orm';
import {
  type PgColumnBuilderBase,
  type PgTableExtraConfigValue,
  pgPolicy,
  pgTable,
  text,
} from 'drizzle-orm/pg-core';
import { organizations } from './schema.ts';

/** The rows of the organization that `withTenant` has named; with no name, none. */
const ofTenant = sql`organization_id = current_setting('app.organization_id', true)`;

const organizationId = () =>
  text('organization_id')
    .notNull()
    .default(sql`current_setting('app.organization_id', true)`)
    .references(() => organizations.id, { onDelete: 'cascade' });

type WithOrganization<Columns> = Columns & { organizationId: ReturnType<typeof organizationId> };

/**
 * A table whose rows belong to one organization each, and go with it. Within `withTenant` PostgreSQL
 * fills in `organizationId` and shows no other organization's rows; `migrate` lets tenants use it.
 */
export function tenantTable<
  const Name extends string,
  Columns extends Record<string, PgColumnBuilderBase>,
>(
  name: Name,
  columns: Columns,
  more: (
    table: BuildExtraConfigColumns<Name, WithOrganization<Columns>, 'pg'>,
  ) => PgTableExtraConfigValue[] = () => [],
) {
  return pgTable(name, { ...columns, organizationId: organizationId() }, (table) => [
    pgPolicy(`${name}_of_tenant`, { using: ofTenant, withCheck: ofTenant }),
    ...more(table),
  ]);
}
