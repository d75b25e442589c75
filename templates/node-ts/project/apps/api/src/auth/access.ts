import type { FastifyReply, FastifyRequest, preParsingAsyncHookHandler } from 'fastify';
import type { Database } from '../db/database.ts';
import { identify } from '../http/logging.ts';
import { ProblemError } from '../http/problems.ts';
import type { Auth } from './better-auth.ts';
import { allows, type Permission } from './permissions.ts';
import { createReadMembership, type ReadMembership } from './session.ts';

/** What the addresses of an organization's resources begin with: its id or its slug stands in them. */
export const ORGANIZATION_PATH = '/api/v1/organizations/:organization';

/** Who asks, for which organization, and in which role. */
export interface Access {
  readonly userId: string;
  readonly organizationId: string;
  readonly role: string;
}

/**
 * Makes hooks that let a request pass only with a permission in the organization that its address
 * names, or in the session's active one where the route is not below `ORGANIZATION_PATH`.
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
  const read = createReadMembership(auth, database);
  return (permission) => async (request, reply) => {
    const access = await (isBelowOrganization(request) ? ofAddress : ofSession)(
      read,
      request,
      reply,
    );
    identify(request, reply, access);
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

/** The address of the organization as the caller wrote it, for the `location` of what it gets. */
export function organizationPath(params: { readonly organization: string }): string {
  return ORGANIZATION_PATH.replace(':organization', encodeURIComponent(params.organization));
}

function isBelowOrganization({ routeOptions: { url } }: FastifyRequest): boolean {
  return url === ORGANIZATION_PATH || (url?.startsWith(`${ORGANIZATION_PATH}/`) ?? false);
}

async function ofAddress(
  read: ReadMembership,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Access> {
  const { organization } = request.params as { organization: string };
  // PostgreSQL cannot even look for NUL: nothing is named like that.
  const membership = await read(request, reply, organization.includes('\0') ? '' : organization);
  if (!membership) throw unauthenticated();
  const { userId, organizationId, role } = membership;
  // One that the caller does not belong to is not there either: its existence is nobody's business.
  if (organizationId === null || role === null) {
    throw organizationNotFound();
  }
  return { userId, organizationId, role };
}

async function ofSession(
  read: ReadMembership,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Access> {
  const membership = await read(request, reply);
  if (!membership) throw unauthenticated();
  const { userId, activeOrganizationId, organizationId, role } = membership;
  if (activeOrganizationId === null) {
    throw new ProblemError(403, 'no_active_organization', 'Choose an organization first');
  }
  // The session may be older than the end of the membership.
  if (organizationId === null || role === null) {
    throw new ProblemError(403, 'not_a_member', 'You no longer belong to it');
  }
  return { userId, organizationId, role };
}

/** Also for what is created while its organization is deleted: `isForeignKeyViolation` tells. */
export function organizationNotFound(): ProblemError {
  return new ProblemError(404, 'organization_not_found', 'There is no such organization');
}

function unauthenticated(): ProblemError {
  return new ProblemError(401, 'unauthenticated', 'Sign in first');
}
