import { APIError } from 'better-auth/api';
import { and, eq, gt, type SQL, sql } from 'drizzle-orm';
import type { Config } from '../config.ts';
import type { Database, Db } from '../db/database.ts';
import { isOwner } from './organization-rules.ts';
import { invitations, members, organizations, users } from './schema.ts';

/** Of members, and of invitations that wait for an answer, in one organization. */
export const PER_ORGANIZATION = 100;
/** Unverified accounts may try the application out, but not fill it. */
const UNVERIFIED_LIMIT = 1;

interface Person {
  readonly id: string;
  readonly emailVerified: boolean;
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
 * write it is counted once more, by one request after the other. Each is a route that is `atomic`:
 * its transaction keeps the lock until the end, and a refusal undoes what was written.
 */
export function createOrganizationLimits(config: Config, { db }: Database) {
  const most = ({ emailVerified }: Person) =>
    emailVerified ? config.ORGANIZATIONS_PER_USER : UNVERIFIED_LIMIT;
  const inTurn = (row: SQL) => db.execute(sql`select 1 from ${row} for no key update`);

  return {
    /** Asked before a new one is made. */
    async ownsEnough(user: Person) {
      return (await countOwned(db, user.id)) >= most(user);
    },

    async limitOrganizations(user: Person) {
      await inTurn(sql`${users} where ${users.id} = ${user.id}`);
      if ((await countOwned(db, user.id)) > most(user)) refuse('organizations');
    },

    async limitMembers(organizationId: string) {
      await inTurn(rowOf(organizationId));
      const here = eq(members.organizationId, organizationId);
      if ((await db.$count(members, here)) > PER_ORGANIZATION) refuse('members');
    },

    async limitInvitations(organizationId: string) {
      await inTurn(rowOf(organizationId));
      const waits = and(
        eq(invitations.organizationId, organizationId),
        eq(invitations.status, 'pending'),
        gt(invitations.expiresAt, sql`now()`),
      );
      if ((await db.$count(invitations, waits)) > PER_ORGANIZATION) refuse('invitations');
    },
  };
}

function refuse(what: keyof typeof FULL): never {
  throw new APIError('FORBIDDEN', FULL[what]);
}

function rowOf(organizationId: string): SQL {
  return sql`${organizations} where ${organizations.id} = ${organizationId}`;
}

/** How many organizations somebody is an owner of. */
function countOwned(db: Db, userId: string): Promise<number> {
  return db.$count(members, and(eq(members.userId, userId), isOwner()));
}
