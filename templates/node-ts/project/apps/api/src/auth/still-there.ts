import { sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import type { Access } from './access.ts';

/** Of one statement, so that none takes long. */
const AT_ONCE = 1_000;

/**
 * Asks for many at once whether what they came with still lets them in: a session that is not over, a
 * key that works, and a membership. It gives their roles of today; null is for those who are out.
 */
export async function rolesOf(
  database: Database,
  all: readonly Access[],
): Promise<Map<Access, string | null>> {
  const roles = new Map<Access, string | null>();
  for (let from = 0; from < all.length; from += AT_ONCE) {
    const some = all.slice(from, from + AT_ONCE);
    const found = await ask(database, some);
    for (const [index, access] of some.entries()) roles.set(access, found.get(index) ?? null);
  }
  return roles;
}

async function ask({ db }: Database, some: readonly Access[]): Promise<Map<number, string>> {
  const asked = some.map(({ sessionId, apiKey, organizationId }, index) => ({
    index,
    session: sessionId ?? null,
    hash: apiKey?.hash ?? null,
    organization: organizationId,
  }));
  const { rows } = await db.execute<{ index: number; role: string }>(sql`
    with asked as (
      select * from jsonb_to_recordset(${JSON.stringify(asked)}::jsonb)
        as a (index int, session text, hash text, organization text)
    )
    select a.index, m.role from asked a
    join sessions s on s.id = a.session and s.expires_at > now()
    join members m on m.user_id = s.user_id and m.organization_id = a.organization
    union all
    select a.index, k.role from asked a, find_api_key(a.hash) k where a.hash is not null`);
  return new Map(rows.map(({ index, role }) => [index, role]));
}
