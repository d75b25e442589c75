import type { FastifyReply, FastifyRequest, preParsingAsyncHookHandler } from 'fastify';
import type { Database } from '../db/database.ts';
import { identify } from '../http/logging.ts';
import { ProblemError } from '../http/problems.ts';
import type { ApiKeys } from './api-keys.ts';
import type { Auth } from './better-auth.ts';
import { allows, type Permission } from './permissions.ts';
import { createReadMembership, holdsSessionCookie, type ReadMembership } from './session.ts';

/** What the addresses of an organization's resources begin with: its id or its slug stands in them. */
export const ORGANIZATION_PATH = '/api/v1/organizations/:organization';

/** For the `security` of a route's schema: without `apiKey`, a key is not taken there. */
export const BY_SESSION = [{ session: [] }];
export const BY_SESSION_OR_API_KEY = [{ session: [] }, { apiKey: [] }];

/** Who asks, for which organization, and in which role. */
export interface Access {
  /** Who is signed in; of a key, who was shown its secret. */
  readonly userId: string;
  readonly organizationId: string;
  readonly role: string;
  readonly sessionId?: string;
  /** What the request came with instead of a session. */
  readonly apiKey?: {
    readonly id: string;
    readonly scopes: readonly string[];
    /** Of its secret. */
    readonly hash: string;
  };
}

/**
 * Makes hooks that let a request pass only with a permission in the organization that its address
 * names; where the route is not below `ORGANIZATION_PATH`, in the session's active one or the key's. They are for `preParsing`: behind the rate limit, before anybody reads the body.
 */
export type Requires = (permission: Permission) => preParsingAsyncHookHandler;

declare module 'fastify' {
  interface FastifyRequest {
    /** Known on the routes behind `requires`, null on all others. */
    access: Access | null;
  }
}

export function createRequires(auth: Auth, database: Database, apiKeys: ApiKeys): Requires {
  const read = createReadMembership(auth, database);
  return (permission) => async (request, reply) => {
    const secret = bearerOf(request);
    if (secret !== undefined && (await holdsSessionCookie(auth, request))) throw twoCredentials();
    const access = await (secret === undefined
      ? bySession(read, request, reply)
      : byKey(apiKeys, request, reply, secret));
    if (!may(access, permission)) {
      const whose = access.apiKey ? 'This API key' : 'Your role';
      throw new ProblemError(403, 'forbidden', `${whose} does not allow ${permission}`);
    }
    request.access = access;
  };
}

/** A key may do what it is for, as long as they may whom it was shown to. */
export function may({ role, apiKey }: Access, permission: Permission): boolean {
  return allows(role, permission) && (apiKey?.scopes.includes(permission) ?? true);
}

/** Distinct for each user and for each key: what one of them has sent is not the other's. */
export function senderOf({ userId, apiKey }: Access): string {
  return apiKey ? `api-key:${apiKey.id}` : userId;
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

async function bySession(read: ReadMembership, request: FastifyRequest, reply: FastifyReply) {
  const ofRoute = isBelowOrganization(request) ? ofAddress : ofSession;
  const access = await ofRoute(read, request, reply);
  identify(request, reply, access);
  return access;
}

async function byKey(
  apiKeys: ApiKeys,
  request: FastifyRequest,
  reply: FastifyReply,
  secret: string,
): Promise<Access> {
  if (!takesKeys(request)) {
    throw new ProblemError(401, 'session_required', 'Sign in: this is not for API keys');
  }
  const key = await apiKeys.read(request, reply, secret);
  const { id, organizationId, slug, scopes, userId, role, hash } = key;
  // Before anything is refused: the log tells of every request which key it came with.
  identify(request, reply, { userId, organizationId, apiKeyId: id });
  const { organization } = request.params as { organization?: string };
  if (isBelowOrganization(request) && organization !== organizationId && organization !== slug) {
    throw organizationNotFound();
  }
  return { userId, organizationId, role, apiKey: { id, scopes, hash } };
}

/** What follows `Bearer`. Other schemes are not for us: a proxy may ask for a password of its own. */
function bearerOf({ headers }: FastifyRequest): string | undefined {
  const [, secret] = /^bearer(?= |$) *(.*)$/is.exec(headers.authorization ?? '') ?? [];
  return secret;
}

/** What the API document says of a route, so that the two never differ. */
function takesKeys({ routeOptions: { schema } }: FastifyRequest): boolean {
  return schema?.security?.some((each) => 'apiKey' in each) ?? false;
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
  const { sessionId, userId, organizationId, role } = membership;
  // One that the caller does not belong to is not there either: its existence is nobody's business.
  if (organizationId === null || role === null) {
    throw organizationNotFound();
  }
  return { sessionId, userId, organizationId, role };
}

async function ofSession(
  read: ReadMembership,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Access> {
  const membership = await read(request, reply);
  if (!membership) throw unauthenticated();
  const { sessionId, userId, activeOrganizationId, organizationId, role } = membership;
  if (activeOrganizationId === null) {
    throw new ProblemError(403, 'no_active_organization', 'Choose an organization first');
  }
  // The session may be older than the end of the membership.
  if (organizationId === null || role === null) {
    throw new ProblemError(403, 'not_a_member', 'You no longer belong to it');
  }
  return { sessionId, userId, organizationId, role };
}

/** Also for what is created while its organization is deleted: `isForeignKeyViolation` tells. */
export function organizationNotFound(): ProblemError {
  return new ProblemError(404, 'organization_not_found', 'There is no such organization');
}

/** They may belong to different people, and nobody knows who was meant. */
function twoCredentials(): ProblemError {
  return new ProblemError(400, 'two_credentials', 'Send a session or an API key, not both');
}

function unauthenticated(): ProblemError {
  return new ProblemError(401, 'unauthenticated', 'Sign in first');
}
