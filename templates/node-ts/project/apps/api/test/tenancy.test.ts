import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { organizations, users } from '../src/auth/schema.ts';
import type { Database, Transaction } from '../src/db/database.ts';
import { sqlState } from '../src/db/errors.ts';
import { migrate } from '../src/db/migrations.ts';
import { withTenant } from '../src/db/tenant.ts';
import { TENANT_ROLE } from '../src/db/tenant-role.ts';
import { copyDatabase } from './support/database.ts';
import { notes } from './support/notes.ts';

const PERMISSION_DENIED = '42501';
let database: Database;

beforeAll(async () => {
  database = await copyDatabase();
  for (const id of ['red', 'blue']) {
    await database.db.insert(organizations).values({ id, name: id, slug: id });
    await withTenant(database, id, (tx) => tx.insert(notes).values({ name: `${id} one` }));
  }
});
afterAll(() => database.close());

const stateOf = (work: Promise<unknown>) => work.then(() => 'no error', sqlState);

describe('a tenant', () => {
  it('sees only its own rows in a query without a WHERE', async () => {
    const rows = await withTenant(database, 'red', (tx) => tx.select().from(notes));
    expect(rows.map((row) => [row.organizationId, row.name])).toEqual([['red', 'red one']]);
  });

  it('reaches only its own rows in an UPDATE or DELETE without a WHERE', async () => {
    const updated = await withTenant(database, 'red', (tx) =>
      tx.update(notes).set({ body: 'red was here' }).returning(),
    );
    expect(updated).toHaveLength(1);
    const deleted = await withTenant(database, 'nobody', (tx) => tx.delete(notes).returning());
    expect(deleted).toEqual([]);
    const [blue] = await withTenant(database, 'blue', (tx) => tx.select().from(notes));
    expect(blue).toMatchObject({ name: 'blue one', body: '' });
  });

  it('can neither insert a row for another organization nor give one away', async () => {
    const foreign = { name: 'smuggled', organizationId: 'blue' };
    const insert = withTenant(database, 'red', (tx) => tx.insert(notes).values(foreign));
    expect(await stateOf(insert)).toBe(PERMISSION_DENIED);
    const give = withTenant(database, 'red', (tx) =>
      tx.update(notes).set({ organizationId: 'blue' }),
    );
    expect(await stateOf(give)).toBe(PERMISSION_DENIED);
  });

  it('cannot read accounts, sessions or organizations', async () => {
    for (const table of ['users', 'sessions', 'accounts', 'verifications', 'organizations']) {
      const read = withTenant(database, 'red', (tx) =>
        tx.execute(sql`select * from ${sql.identifier(table)}`),
      );
      expect([table, await stateOf(read)]).toEqual([table, PERMISSION_DENIED]);
    }
  });

  it('whose id is hostile is just an organization without rows', async () => {
    const hostile = ["red' or '1'='1", "x', true), set_config('role', 'none', true) --", "\\' --"];
    for (const id of ['', '%', ...hostile]) {
      expect(await withTenant(database, id, (tx) => tx.select().from(notes))).toEqual([]);
    }
  });
});

describe('a transaction under settings', () => {
  it('has each of them as it was given, until it ends', async () => {
    const value = `it's "here"; \\ $1 --`;
    const read = sql`select current_setting('app.organization_id', true) as id, current_setting('app.note', true) as note`;
    const settings = { 'app.organization_id': 'red', 'app.note': value };
    const inside = await database.withSettings(settings, (tx) => tx.execute(read));
    expect(inside.rows).toEqual([{ id: 'red', note: value }]);
    const { rows } = await database.db.execute<{ id: string | null; note: string | null }>(read);
    expect(rows.map((row) => [row.id || null, row.note || null])).toEqual([[null, null]]);
  });

  it('does no work where one of them is refused', async () => {
    let worked = false;
    const work = database.withSettings({ role: 'no_such_role' }, async () => {
      worked = true;
    });
    expect(await stateOf(work)).toBe('22023');
    expect(worked).toBe(false);
    expect(await withTenant(database, 'red', (tx) => tx.select().from(notes))).toHaveLength(1);
  });
});

describe('outside of a tenant', () => {
  it('nothing of a transaction stays on the connection', async () => {
    await withTenant(database, 'red', (tx) => tx.select().from(notes));
    const { rows } = await database.db.execute<{ role: string; organization: string | null }>(
      sql`select current_user::text as role, nullif(current_setting('app.organization_id', true), '') as organization`,
    );
    expect(rows[0]?.role).not.toBe(TENANT_ROLE);
    expect(rows[0]?.organization).toBeNull();
  });

  it('a failed transaction leaves nothing behind either', async () => {
    const work = withTenant(database, 'red', async (tx) => {
      await tx.insert(notes).values({ name: 'undone' });
      throw new Error('changed my mind');
    });
    await expect(work).rejects.toThrow('changed my mind');
    const rows = await withTenant(database, 'red', (tx) => tx.select().from(notes));
    expect(rows.map((row) => row.name)).toEqual(['red one']);
  });

  it('a transaction that went on after an error does not count as done', async () => {
    const goOn = async (tx: Transaction) => {
      await tx.insert(notes).values({ name: 'undone' });
      await tx.execute(sql`select 1 / 0`).catch(() => undefined);
      return 'done';
    };
    await expect(withTenant(database, 'red', goOn)).rejects.toThrow();
    await expect(database.db.transaction(goOn)).rejects.toThrow();
    const rows = await withTenant(database, 'red', (tx) => tx.select().from(notes));
    expect(rows.map((row) => row.name)).toEqual(['red one']);
  });

  it('the owner of the table sees no rows, unless it is a superuser', async () => {
    const { rows } = await database.db.execute<{ all_powerful: boolean }>(
      sql`select rolsuper or rolbypassrls as all_powerful from pg_roles where rolname = current_user`,
    );
    const seen = await database.db.select().from(notes);
    expect(seen.length > 0).toBe(rows[0]?.all_powerful);
  });

  it('an organization takes its rows with it when it goes', async () => {
    await database.db.insert(organizations).values({ id: 'gone', name: 'gone', slug: 'gone' });
    await withTenant(database, 'gone', (tx) => tx.insert(notes).values({ name: 'x' }));
    await database.db.delete(organizations).where(eq(organizations.id, 'gone'));
    expect(await withTenant(database, 'gone', (tx) => tx.select().from(notes))).toEqual([]);
    expect(await database.db.select().from(users)).toEqual([]);
  });
});

describe('every table', () => {
  it('that tenants may touch is under a forced policy', async () => {
    const { rows } = await database.db.execute<{ name: string; safe: boolean }>(sql`
      select c.relname as name,
        c.relrowsecurity and c.relforcerowsecurity
          and exists (select from pg_policies p where p.tablename = c.relname) as safe
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'public' and c.relkind in ('r', 'p', 'v', 'm')
        and has_table_privilege(${TENANT_ROLE}, c.oid, 'select, insert, update, delete')
      order by 1`);
    expect(rows.map((row) => row.name)).toContain('test_notes');
    expect(rows.filter((row) => !row.safe)).toEqual([]);
  });

  it('that belongs to organizations has a policy, but for those of the accounts', async () => {
    const { rows } = await database.db.execute<{ name: string }>(sql`
      select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'public' and c.relkind in ('r', 'p')
        and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id')
        and not exists (select from pg_policy p where p.polrelid = c.oid)
      order by 1`);
    expect(rows.map((row) => row.name)).toEqual(['invitations', 'members']);
  });

  it('that a migration adds is opened and bound by it', async () => {
    const name = 'later_by_a_name_as_long_as_postgresql_lets_tables_have_at_most';
    const table = sql.identifier(name);
    await database.db.execute(sql`create table ${table} (number serial, organization_id text)`);
    await database.db.execute(sql`alter table ${table} enable row level security`);
    await database.db.execute(
      sql`create policy ${sql.raw(`${name}_of_tenant`)} on ${table} using (true)`,
    );
    await migrate(database);
    const { rows } = await database.db.execute(
      sql`select relforcerowsecurity as forced from pg_class where relname = ${name}`,
    );
    expect(rows).toEqual([{ forced: true }]);
    const insert = sql`insert into ${table} default values returning number`;
    const added = await withTenant(database, 'red', (tx) => tx.execute(insert));
    expect(added.rows).toEqual([{ number: 1 }]);
  });

  it('that tenants may not touch stays so behind a function of yours', async () => {
    await database.db.execute(sql`create function everybody() returns bigint
      language sql security definer as 'select count(*) from users'`);
    await database.db.execute(sql`revoke execute on function everybody from public`);
    await migrate(database);
    const call = withTenant(database, 'red', (tx) => tx.execute(sql`select everybody()`));
    expect(await stateOf(call)).toBe(PERMISSION_DENIED);
  });

  it('that has a policy is forced, and open to tenants', async () => {
    const { rows } = await database.db.execute(sql`
      select c.relname as name, right_to as lacks
      from pg_class c, unnest(array['select', 'insert', 'update', 'delete']) right_to
      where c.relkind = 'r' and c.relrowsecurity
        and not (c.relforcerowsecurity and has_table_privilege(${TENANT_ROLE}, c.oid, right_to))
        -- Whoever writes a policy by hand may have meant it for reading alone.
        and (right_to = 'select' or exists (
          select from pg_policy p where p.polrelid = c.oid and p.polname = (c.relname || '_of_tenant')::name))`);
    expect(rows).toEqual([]);
  });
});
