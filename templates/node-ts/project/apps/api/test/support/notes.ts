import { desc, eq, sql } from 'drizzle-orm';
import { text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { z } from 'zod';
import {
  accessOf,
  BY_SESSION_OR_API_KEY,
  ORGANIZATION_PATH,
  organizationPath,
} from '../../src/auth/access.ts';
import type { Permission } from '../../src/auth/permissions.ts';
import { tenantTable } from '../../src/auth/tenant-table.ts';
import type { Database } from '../../src/db/database.ts';
import { isUniqueViolation } from '../../src/db/errors.ts';
import { migrate } from '../../src/db/migrations.ts';
import { withTenant } from '../../src/db/tenant.ts';
import { etagOf } from '../../src/http/etag.ts';
import { ProblemError } from '../../src/http/problems.ts';
import { IdempotencyHeaders, once } from '../../src/idempotency/once.ts';
import { defineModule } from '../../src/module.ts';
import { permissions } from '../../src/modules/permissions.ts';

// A resource of the tests' own: what the application does for every module is tested with it, so
// that none of yours has to be there. It stands in no list, and in the databases of tests alone.

export const notes = tenantTable('test_notes', {
  id: uuid('id').primaryKey().defaultRandom(),
  name: text('name').notNull(),
  body: text('body').notNull().default(''),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});

const STATEMENTS = [
  sql`create table test_notes (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    body text not null default '',
    created_at timestamptz not null default now(),
    organization_id text not null default current_setting('app.organization_id', true)
      references organizations on delete cascade,
    unique (organization_id, name))`,
  sql`alter table test_notes enable row level security`,
  sql`create policy test_notes_of_tenant on test_notes
    using (organization_id = current_setting('app.organization_id', true))
    with check (organization_id = current_setting('app.organization_id', true))`,
];

/** Migrates as the application does, and adds the notes as a migration of yours would. */
export async function migrateWithNotes(database: Database): Promise<void> {
  await migrate(database);
  await database.withMigrationLock(async ({ db }) => {
    for (const statement of STATEMENTS) await db.execute(statement);
  });
  await migrate(database);
}

const members = ['owner', 'admin', 'member'];
// As if it were a line in modules/permissions.ts, but that whoever goes through the lines misses it.
Object.defineProperty(permissions, 'testNote', {
  value: { read: [...members, 'viewer'], write: members },
  configurable: true,
});
export const READ_NOTES = 'testNote:read' as Permission;
export const WRITE_NOTES = 'testNote:write' as Permission;

const PATH = `${ORGANIZATION_PATH}/test-notes`;
const security = BY_SESSION_OR_API_KEY;
const Params = z.object({ organization: z.string(), id: z.uuid() });
const Body = z.strictObject({ name: z.string() });

/** List, create, delete: enough to ask for something that belongs to an organization. */
export const noteModule = defineModule({
  name: 'test-notes',
  register(app, { database, requires }) {
    app.get(PATH, { preParsing: requires(READ_NOTES), schema: { security } }, async (request) => {
      const items = await withTenant(database, accessOf(request).organizationId, (tx) =>
        tx.select().from(notes).orderBy(desc(notes.createdAt)),
      );
      return { items };
    });
    app.post<{ Params: { organization: string } }>(
      PATH,
      {
        preParsing: requires(WRITE_NOTES),
        schema: { security, headers: IdempotencyHeaders, body: Body },
      },
      async (request, reply) => {
        const values = Body.parse(request.body);
        const { id, name } = await withTenant(database, accessOf(request).organizationId, (tx) =>
          once(tx, request, async () => {
            const [row] = await tx.insert(notes).values(values).returning();
            return { id: row?.id ?? '', name: row?.name ?? '' };
          }),
        ).catch((error) => {
          if (isUniqueViolation(error)) throw new ProblemError(409, 'note_exists', 'It is there');
          throw error;
        });
        reply.header('location', `${organizationPath(request.params)}/test-notes/${id}`);
        return reply
          .code(201)
          .header('etag', etagOf({ version: 1 }))
          .send({ id, name });
      },
    );
    app.delete(
      `${PATH}/:id`,
      { preParsing: requires(WRITE_NOTES), schema: { security, params: Params } },
      async (request, reply) => {
        await withTenant(database, accessOf(request).organizationId, (tx) =>
          tx.delete(notes).where(eq(notes.id, request.params.id)),
        );
        return reply.code(204).send();
      },
    );
  },
});
