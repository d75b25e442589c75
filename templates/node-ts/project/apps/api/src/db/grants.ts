import { Name, type SQL, sql } from 'drizzle-orm';
import type { Db, Migrator } from './database.ts';
import { sqlState } from './errors.ts';
import { TENANT_ROLE } from './tenant-role.ts';

const ROLE_EXISTS = ['42710', '23505'];
// PostgreSQL cuts a long policy's name as it cuts any `name`.
const TENANT_TABLES = sql`select format('%I.%I', n.nspname, c.relname)
  from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'public' and p.polname = (c.relname || '_of_tenant')::name`;
const sequencesOf = (table: string) => sql`select format('%s', objid::regclass)
  from pg_depend where refobjid = ${table}::regclass and deptype = 'a'
    and objid in (select oid from pg_class where relkind = 'S')`;
/** What tenants may ask for without the rights to do it themselves: to add a job (queue/). */
const FOR_TENANTS = sql`select p.oid::regprocedure::text as format
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname = 'public' and p.proname = 'enqueue_job'`;

/**
 * Gives each role what it needs and no more; it runs after the migrations, and again changes nothing.
 * Tenants may use the tables made with `tenantTable`, whose policies FORCE makes binding for their
 * owner too, and add jobs. Where requests are served by a role of their own, it may use all tables,
 * read which migrations ran, and become a tenant; it can change no table and pass by no policy.
 */
export async function grantAccess({ db, runtimeRole }: Migrator): Promise<void> {
  await ensureTenantRole(db);
  const tenant = sql.identifier(TENANT_ROLE);
  await db.execute(sql`grant usage on schema public to ${tenant}`);
  for (const table of await names(db, TENANT_TABLES)) {
    await forceRowSecurity(db, table);
    await db.execute(sql`grant select, insert, update, delete on ${sql.raw(table)} to ${tenant}`);
    for (const sequence of await names(db, sequencesOf(table))) {
      await db.execute(sql`grant usage on sequence ${sql.raw(sequence)} to ${tenant}`);
    }
  }
  for (const name of await names(db, FOR_TENANTS)) {
    await db.execute(sql`revoke execute on function ${sql.raw(name)} from public`);
    await db.execute(sql`grant execute on function ${sql.raw(name)} to ${tenant}`);
  }
  if (runtimeRole !== undefined) await letServe(db, sql.identifier(runtimeRole));
}

async function letServe(db: Db, runtime: Name): Promise<void> {
  await joinTenants(db, runtime);
  await db.execute(sql`grant usage on schema public, drizzle to ${runtime}`);
  await db.execute(sql`grant select on all tables in schema drizzle to ${runtime}`);
  await letWork(db, runtime);
  await db.execute(sql`grant usage on all sequences in schema public to ${runtime}`);
  await db.execute(
    sql`grant select, insert, update, delete on all tables in schema public to ${runtime}`,
  );
}

/** Whoever serves also runs jobs: in the schema of the queue (queue/), where it is there. */
async function letWork(db: Db, runtime: Name): Promise<void> {
  const found = await rows(db, sql`select from pg_namespace where nspname = 'queue'`);
  if (found.length === 0) return;
  await db.execute(sql`grant usage on schema queue to ${runtime}`);
  await db.execute(
    sql`grant select, insert, update, delete on all tables in schema queue to ${runtime}`,
  );
}

/** Where this user may not create roles, an administrator has to: the error names the two statements. */
async function ensureTenantRole(db: Db): Promise<void> {
  try {
    await createTenantRole(db);
    await joinTenants(db, sql`current_user`);
  } catch (error) {
    throw new TenantRoleError(error);
  }
}

async function createTenantRole(db: Db): Promise<void> {
  const found = await rows(db, sql`select from pg_roles where rolname = ${TENANT_ROLE}`);
  if (found.length > 0) return;
  try {
    await db.execute(sql`create role ${sql.identifier(TENANT_ROLE)} nologin`);
  } catch (error) {
    // Another database of this server made it in the same moment.
    if (!ROLE_EXISTS.includes(sqlState(error) ?? '')) throw error;
  }
}

// Since 16, who creates a role administers it, and may still not become it; before, there was no `set`.
const BECOME = sql`case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end`;

async function joinTenants(db: Db, user: SQL | Name): Promise<void> {
  const name = user instanceof Name ? sql`${user.value}` : user;
  const [membership] = await rows<{ member: boolean }>(
    db,
    sql`select pg_has_role(${name}, ${TENANT_ROLE}, ${BECOME}) as member`,
  );
  if (membership?.member) return;
  await db.execute(sql`grant ${sql.identifier(TENANT_ROLE)} to ${user}`);
}

/** The database user may neither create the tenants' role nor use one that is there. */
export class TenantRoleError extends Error {
  override readonly name = 'TenantRoleError';

  constructor(cause: unknown) {
    super(
      `The role ${TENANT_ROLE} is missing. Let the user that migrates create roles (ALTER ROLE … CREATEROLE), or run as an administrator: CREATE ROLE ${TENANT_ROLE} NOLOGIN; GRANT ${TENANT_ROLE} TO <that user>`,
      { cause },
    );
  }
}

/** Takes its exclusive lock only where there is something to change. */
async function forceRowSecurity(db: Db, table: string): Promise<void> {
  const [found] = await rows<{ forced: boolean }>(
    db,
    sql`select relforcerowsecurity as forced from pg_class where oid = ${table}::regclass`,
  );
  if (!found?.forced) await db.execute(sql`alter table ${sql.raw(table)} force row level security`);
}

async function names(db: Db, query: SQL): Promise<string[]> {
  return (await rows<{ format: string }>(db, query)).map((row) => row.format);
}

async function rows<Row extends Record<string, unknown>>(db: Db, query: SQL): Promise<Row[]> {
  return (await db.execute<Row>(query)).rows;
}
