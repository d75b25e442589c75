import { hash } from 'node:crypto';
import { and, eq, lt, sql } from 'drizzle-orm';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { accessOf, senderOf } from '../auth/access.ts';
import type { Transaction } from '../db/database.ts';
import { ProblemError } from '../http/problems.ts';
import { idempotencyKeys } from './table.ts';

const HOURS = 24;
/** How many keys that are over each new one takes away. */
const SWEEP = 10;

/** For the `headers` of a route's schema. */
export const IdempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/, 'Must be 1 to 200 visible ASCII characters')
    .optional()
    .describe(
      `Of the sender's choice, new for each request: for ${HOURS} hours, the same again is done once`,
    ),
});

/**
 * Does `work` once for each key of a sender, and gives its answer again to who asks again. The key is
 * kept in `tx`, of which `work` has to be part: both are there in the end, or neither. Who asks while
 * another is at it waits for that one. Without a key it is simply done. The answer must be JSON.
 */
export async function once<Answer>(
  tx: Transaction,
  request: FastifyRequest,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const { 'idempotency-key': key } = request.headers;
  if (typeof key !== 'string') return work();
  const asked = {
    sentBy: senderOf(accessOf(request)),
    key,
    fingerprint: fingerprintOf(request),
  };
  if (!(await take(tx, asked))) return kept<Answer>(tx, asked);
  const answer = await work();
  await tx.update(idempotencyKeys).set({ answer }).where(named(asked));
  return answer;
}

type Asked = Pick<typeof idempotencyKeys.$inferSelect, 'sentBy' | 'key' | 'fingerprint'>;

const isOver = lt(idempotencyKeys.createdAt, sql`now() - make_interval(hours => ${HOURS})`);

function named({ sentBy, key }: Asked) {
  return and(eq(idempotencyKeys.sentBy, sentBy), eq(idempotencyKeys.key, key));
}

/** Whether the key is free. While another transaction has it, PostgreSQL waits for the end of that. */
async function take(tx: Transaction, asked: Asked): Promise<boolean> {
  await tx.execute(sql`
    delete from ${idempotencyKeys} where ctid in (
      select ctid from ${idempotencyKeys} where ${isOver} limit ${SWEEP} for update skip locked)`);
  const { fingerprint } = asked;
  const taken = await tx
    .insert(idempotencyKeys)
    .values(asked)
    .onConflictDoUpdate({
      target: [idempotencyKeys.organizationId, idempotencyKeys.sentBy, idempotencyKeys.key],
      set: { fingerprint, answer: null, createdAt: sql`now()` },
      setWhere: isOver,
    })
    .returning({ key: idempotencyKeys.key });
  return taken.length > 0;
}

async function kept<Answer>(tx: Transaction, asked: Asked): Promise<Answer> {
  const [before] = await tx.select().from(idempotencyKeys).where(named(asked));
  if (before?.fingerprint === asked.fingerprint) return before.answer as Answer;
  throw new ProblemError(
    422,
    'idempotency_key_reused',
    'This Idempotency-Key belongs to another request: take a new one',
  );
}

/** The organization is that of the key, by its id or its slug. */
function fingerprintOf({ method, routeOptions, params, body }: FastifyRequest): string {
  const places = { ...(params as Record<string, string>), organization: undefined };
  return hash('sha256', JSON.stringify([method, routeOptions.url, places, body]), 'base64url');
}
