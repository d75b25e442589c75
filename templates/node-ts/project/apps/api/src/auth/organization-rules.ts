import { APIError } from 'better-auth/api';
import { and, eq, sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import { roles } from './permissions.ts';
import { members, organizations } from './schema.ts';

const OWNER = 'owner';

interface SessionChoice {
  readonly userId: string;
  readonly activeOrganizationId?: string | null | undefined;
}

export type OrganizationRules = ReturnType<typeof createOrganizationRules>;

/** What better-auth leaves open. That the last owner stays, PostgreSQL itself sees to (drizzle/). */
export function createOrganizationRules({ db }: Database) {
  return {
    /** The one that a new session begins in: this session's, the last used, or the oldest. */
    async firstOrganization(userId: string, current: SessionChoice | undefined) {
      if (current?.userId === userId && current.activeOrganizationId) {
        return current.activeOrganizationId;
      }
      const { rows } = await db.execute<{ id: string }>(sql`
        select m.organization_id as id
        from members m
        left join sessions s
          on s.user_id = m.user_id and s.active_organization_id = m.organization_id
        where m.user_id = ${userId}
        group by m.organization_id, m.created_at
        order by max(s.updated_at) desc nulls last, m.created_at
        limit 1`);
      return rows[0]?.id ?? null;
    },

    /** An invitation is worth what the role of whoever sent it is worth today. */
    async refuseWithoutInviter(invitation: {
      readonly organizationId: string;
      readonly inviterId: string;
      readonly role?: string | null | undefined;
    }) {
      const [inviter] = await db
        .select({ role: members.role })
        .from(members)
        .where(
          and(
            eq(members.organizationId, invitation.organizationId),
            eq(members.userId, invitation.inviterId),
          ),
        );
      const own = inviter?.role.split(',') ?? [];
      const given = invitation.role?.split(',') ?? [];
      if (own.some(mayInvite) && (own.includes(OWNER) || !given.includes(OWNER))) return;
      throw new APIError('FORBIDDEN', {
        code: 'INVITER_MAY_NOT_INVITE',
        message: 'Whoever invited you may no longer do so: ask for a new invitation',
      });
    },

    /** Its members go with it, in one statement: never is there an organization without any. */
    async deleteWhole(id: string) {
      await db.delete(organizations).where(eq(organizations.id, id));
    },

    async refuseLastOwner(userId: string) {
      const { rows } = await db.execute(sql`
        select 1 from members m
        where m.user_id = ${userId} and ${isOwner(sql`m.role`)} and not exists (
          select 1 from members o
          where o.organization_id = m.organization_id and o.user_id <> m.user_id
            and ${isOwner(sql`o.role`)})
        limit 1`);
      if (rows.length === 0) return;
      throw new APIError('CONFLICT', {
        code: 'LAST_OWNER',
        message: 'Make somebody else an owner of your organizations, or delete them, first',
      });
    },
  };
}

export function isOwner(role = sql`${members.role}`) {
  return sql`${OWNER} = any(string_to_array(${role}, ','))`;
}

function mayInvite(role: string): boolean {
  const known = Object.entries(roles).find(([name]) => name === role);
  return known?.[1].authorize({ invitation: ['create'] }).success ?? false;
}
