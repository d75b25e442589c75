import { and, eq, isNull, lt, or, sql } from 'drizzle-orm';
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import { withTenant } from '../db/tenant.ts';
import { ProblemError } from '../http/problems.ts';
import { hashOf, mayBeSecret } from './api-key-secret.ts';
import { apiKeys } from './table.ts';
import { WrongKeys } from './wrong-keys.ts';

/** A key that works, and whoever was shown its secret. */
export interface KnownKey {
  readonly id: string;
  readonly organizationId: string;
  /** Of the organization. */
  readonly slug: string;
  readonly scopes: readonly string[];
  readonly userId: string;
  readonly role: string;
  /** Of the secret that was sent. */
  readonly hash: string;
}

export interface ApiKeys {
  /** Throws where the key is not one that works. */
  read(request: FastifyRequest, reply: FastifyReply, secret: string): Promise<KnownKey>;
  /** Resolves when nothing is being written any more. */
  settled(): Promise<unknown>;
}

interface Parts {
  readonly config: Config;
  readonly database: Database;
  readonly log: FastifyBaseLogger;
}

interface Row extends Omit<KnownKey, 'hash'>, Record<string, unknown> {
  /** Whether its last use was noted more than a minute ago. */
  readonly isNoteDue: boolean;
}

export function createApiKeys({ config, database, log }: Parts): ApiKeys {
  const wrong = new WrongKeys(config.AUTH_RATE_LIMIT_MAX);
  const notes = new Map<string, Promise<void>>();

  const noteUse = async (key: Row) => {
    try {
      await withTenant(database, key.organizationId, (tx) =>
        tx
          .update(apiKeys)
          .set({ lastUsedAt: sql`now()` })
          .where(and(eq(apiKeys.id, key.id), isNoteDue)),
      );
    } catch (err) {
      log.warn({ err, apiKeyId: key.id }, 'could not note the use of an API key');
    } finally {
      notes.delete(key.id);
    }
  };

  return {
    async read(request, reply, secret) {
      const seconds = wrong.wait(request.ip);
      if (seconds > 0) throw tooMany(reply, seconds);
      const hash = hashOf(secret);
      const key = mayBeSecret(secret) ? await find(database, hash) : undefined;
      if (!key) {
        wrong.add(request.ip, hash);
        throw invalid(reply);
      }
      // Nobody waits for it, and it is written once a minute at most.
      if (key.isNoteDue && !notes.has(key.id)) notes.set(key.id, noteUse(key));
      return { ...key, hash };
    },
    settled: () => Promise.all(notes.values()),
  };
}

const isNoteDue = or(
  isNull(apiKeys.lastUsedAt),
  lt(apiKeys.lastUsedAt, sql`now() - interval '1 minute'`),
);

/** One statement, as for a session; how it sees a row of any organization is told in drizzle/. */
async function find({ db }: Database, hash: string): Promise<Row | undefined> {
  const { rows } = await db.execute<Row>(sql`
    select id, organization_id as "organizationId", slug, scopes, user_id as "userId", role,
      coalesce(last_used_at < now() - interval '1 minute', true) as "isNoteDue"
    from find_api_key(${hash})`);
  return rows[0];
}

/** The same for one that never was, that has expired and that was revoked. */
function invalid(reply: FastifyReply): ProblemError {
  reply.header('www-authenticate', 'Bearer error="invalid_token"');
  return new ProblemError(401, 'invalid_api_key', 'This is not an API key that works');
}

function tooMany(reply: FastifyReply, seconds: number): ProblemError {
  reply.header('retry-after', seconds);
  const detail = `Too many wrong API keys: try again in ${seconds} seconds`;
  return new ProblemError(429, 'too_many_attempts', detail);
}
