import { createHmac, timingSafeEqual } from 'node:crypto';
import { parseCookies } from 'better-auth/cookies';
import { sql } from 'drizzle-orm';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Database } from '../db/database.ts';
import type { Auth } from './better-auth.ts';
import { orDatabaseFailure } from './database-failures.ts';

/** A live session, and its user's membership of the organization that was asked for. */
export interface Membership {
  readonly sessionId: string;
  readonly userId: string;
  readonly activeOrganizationId: string | null;
  /** Null where there is no such organization, or the user does not belong to it. */
  readonly organizationId: string | null;
  readonly role: string | null;
}

/**
 * Reads session and membership in one statement, where better-auth needs four. `organization` is an
 * id or a slug; without it, the session's active one is meant. Null: nobody is signed in.
 */
export type ReadMembership = (
  request: FastifyRequest,
  reply: FastifyReply,
  organization?: string,
) => Promise<Membership | null>;

interface Row extends Membership, Record<string, unknown> {
  readonly expiresAt: number;
}

export function createReadMembership(auth: Auth, database: Database): ReadMembership {
  return async (request, reply, organization) => {
    const { authCookies, secret, sessionConfig } = await auth.$context;
    const cookies = parseCookies(request.headers.cookie ?? '');
    const token = signedValue(cookies.get(authCookies.sessionToken.name), secret);
    if (token === undefined) return null;

    const { rows } = await database.db.execute<Row>(select(token, organization));
    const [row] = rows;
    const now = Date.now();
    if (!row || row.expiresAt <= now) return null;

    // "Do not remember me" ends with the browser, whatever happens in between.
    const remembered = !cookies.has(authCookies.dontRememberToken.name);
    const extendedAt = row.expiresAt - sessionConfig.expiresIn * 1000;
    if (remembered && extendedAt + sessionConfig.updateAge * 1000 <= now) {
      await extend(auth, request, reply);
    }
    return row;
  };
}

function select(token: string, organization: string | undefined) {
  const wanted =
    organization === undefined
      ? sql`o.id = s.active_organization_id`
      : sql`(o.id = ${organization} or o.slug = ${organization})`;
  return sql`
    select s.id as "sessionId", s.user_id as "userId", s.active_organization_id as "activeOrganizationId",
      (extract(epoch from s.expires_at) * 1000)::float8 as "expiresAt",
      m.organization_id as "organizationId", m.role
    from sessions s
    left join lateral (
      select m.organization_id, m.role
      from members m join organizations o on o.id = m.organization_id
      where m.user_id = s.user_id and ${wanted}
      order by o.id = ${organization ?? ''} desc
      limit 1
    ) m on true
    where s.token = ${token}`;
}

/** Whether there is such a cookie, good or not. */
export async function holdsSessionCookie(auth: Auth, { headers }: FastifyRequest) {
  const { authCookies } = await auth.$context;
  return parseCookies(headers.cookie ?? '').has(authCookies.sessionToken.name);
}

/** better-auth moves the end of the session and of its cookie; here the cookie is passed on. */
async function extend(auth: Auth, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const headers = new Headers({ cookie: request.headers.cookie ?? '' });
  const answer = await orDatabaseFailure(() =>
    auth.api.getSession({ headers, returnHeaders: true }),
  );
  reply.header('set-cookie', answer.headers.getSetCookie());
}

/**
 * What a cookie that better-auth has signed holds, if the signature is right: `value.signature`, the
 * latter HMAC-SHA256 in base64. better-auth itself imports the key anew for each cookie.
 */
function signedValue(cookie: string | undefined, secret: string): string | undefined {
  if (cookie === undefined) return undefined;
  const dot = cookie.lastIndexOf('.');
  const value = cookie.slice(0, Math.max(dot, 0));
  const given = Buffer.from(cookie.slice(dot + 1));
  const right = Buffer.from(createHmac('sha256', secret).update(value).digest('base64'));
  const matches = given.length === right.length && timingSafeEqual(given, right);
  return matches && value !== '' ? value : undefined;
}
