import { APIError } from 'better-auth/api';
import { and, eq, gt, type SQL, sql } from 'drizzle-orm';
import type { Config } from '../config.ts';
import type { Database, Db } from '../db/database.ts';
import { isOwner } from './organization-rules.ts';
import { invitations, members, organizations, sessions, users } from './schema.ts';

/** Of members, and of invitations that wait for an answer, in one organization. */
export const PER_ORGANIZATION = 100;
/** Unverified accounts may try the application out, but not fill it. */
const UNVERIFIED_LIMIT = 1;

interface Person {
  readonly id: string;
  readonly emailVerified: boolean;
}

interface Joined {
  readonly id: string;
  readonly organizationId: string;
  readonly userId: string;
}

/** With the codes that better-auth answers with where it has counted itself. */
const FULL = {
  organizations: {
    code: 'YOU_HAVE_REACHED_THE_MAXIMUM_NUMBER_OF_ORGANIZATIONS',
    message: 'You have reached the maximum number of organizations',
  },
  members: {
    code: 'ORGANIZATION_MEMBERSHIP_LIMIT_REACHED',
    message: 'Organization membership limit reached',
  },
  invitations: { code: 'INVITATION_LIMIT_REACHED', message: 'Invitation limit reached' },
};

/**
 * better-auth counts, and then writes: of requests that come at once each finds room. So after the
 * write it is counted once more, by one request after the other, and what is too much is taken back.
 */
export function createOrganizationLimits(config: Config, { db }: Database) {
  const most = ({ emailVerified }: Person) =>
    emailVerified ? config.ORGANIZATIONS_PER_USER : UNVERIFIED_LIMIT;

  /** Holds the row of whoever is limited until `work` has counted: true where there was room. */
  async function inTurn(row: SQL, what: keyof typeof FULL, work: (tx: Db) => Promise<boolean>) {
    const hadRoom = await db.transaction(async (tx) => {
      await tx.execute(sql`select 1 from ${row} for no key update`);
      return work(tx);
    });
    if (!hadRoom) throw new APIError('FORBIDDEN', FULL[what]);
  }

  return {
    /** Asked before a new one is made. */
    async ownsEnough(user: Person) {
      return (await countOwned(db, user.id)) >= most(user);
    },

    keepOrganization: (user: Person, id: string) =>
      inTurn(sql`${users} where ${users.id} = ${user.id}`, 'organizations', async (tx) => {
        if ((await countOwned(tx, user.id)) <= most(user)) return true;
        await tx.delete(organizations).where(eq(organizations.id, id));
        return false;
      }),

    keepMember: ({ id, organizationId, userId }: Joined, invitationId: string) =>
      inTurn(rowOf(organizationId), 'members', async (tx) => {
        const here = eq(members.organizationId, organizationId);
        if ((await tx.$count(members, here)) <= PER_ORGANIZATION) return true;
        await tx.delete(members).where(eq(members.id, id));
        await tx
          .update(invitations)
          .set({ status: 'pending' })
          .where(eq(invitations.id, invitationId));
        const active = eq(sessions.activeOrganizationId, organizationId);
        await tx
          .update(sessions)
          .set({ activeOrganizationId: null })
          .where(and(eq(sessions.userId, userId), active));
        return false;
      }),

    keepInvitation: ({ id, organizationId }: Omit<Joined, 'userId'>) =>
      inTurn(rowOf(organizationId), 'invitations', async (tx) => {
        const waits = and(
          eq(invitations.organizationId, organizationId),
          eq(invitations.status, 'pending'),
          gt(invitations.expiresAt, sql`now()`),
        );
        if ((await tx.$count(invitations, waits)) <= PER_ORGANIZATION) return true;
        await tx.delete(invitations).where(eq(invitations.id, id));
        return false;
      }),
  };
}

function rowOf(organizationId: string): SQL {
  return sql`${organizations} where ${organizations.id} = ${organizationId}`;
}

/** How many organizations somebody is an owner of. */
function countOwned(db: Db, userId: string): Promise<number> {
  return db.$count(members, and(eq(members.userId, userId), isOwner()));
}
