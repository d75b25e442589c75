import { and, eq } from 'drizzle-orm';
import type { FastifyRequest, preParsingAsyncHookHandler } from 'fastify';
import type { Database } from '../db/database.ts';
import { ProblemError } from '../http/problems.ts';
import type { Auth } from './better-auth.ts';
import { allows, type Permission } from './permissions.ts';
import { members } from './schema.ts';

/** Who asks, for which organization, and in which role. */
export interface Access {
  readonly userId: string;
  readonly organizationId: string;
  readonly role: string;
}

/**
 * Makes hooks that let a request pass only with a permission in the active organization.
 * They are for `preParsing`: behind the rate limit, before anybody reads the body.
 */
export type Requires = (permission: Permission) => preParsingAsyncHookHandler;

declare module 'fastify' {
  interface FastifyRequest {
    /** Known on the routes behind `requires`, null on all others. */
    access: Access | null;
  }
}

export function createRequires(auth: Auth, database: Database): Requires {
  return (permission) => async (request) => {
    const access = await findAccess(request, auth, database);
    if (!allows(access.role, permission)) {
      throw new ProblemError(403, 'forbidden', `Your role does not allow ${permission}`);
    }
    request.access = access;
  };
}

/** For handlers behind `requires`. */
export function accessOf(request: FastifyRequest): Access {
  if (!request.access) throw new Error(`${request.routeOptions.url} is not behind requires(...)`);
  return request.access;
}

async function findAccess(
  request: FastifyRequest,
  auth: Auth,
  database: Database,
): Promise<Access> {
  const headers = new Headers({ cookie: request.headers.cookie ?? '' });
  const session = await auth.api.getSession({ headers });
  if (!session) throw new ProblemError(401, 'unauthenticated', 'Sign in first');

  const organizationId = session.session.activeOrganizationId;
  if (!organizationId) {
    throw new ProblemError(403, 'no_active_organization', 'Choose an organization first');
  }
  const userId = session.user.id;
  const role = await roleOf(database, organizationId, userId);
  // The session may be older than the end of the membership.
  if (!role) throw new ProblemError(403, 'not_a_member', 'You no longer belong to it');
  return { userId, organizationId, role };
}

async function roleOf(database: Database, organizationId: string, userId: string) {
  const [member] = await database.db
    .select({ role: members.role })
    .from(members)
    .where(and(eq(members.organizationId, organizationId), eq(members.userId, userId)));
  return member?.role;
}
