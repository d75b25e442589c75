import { eq, sql } from 'drizzle-orm';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { accessOf } from '../../auth/access.ts';
import type { Database } from '../../db/database.ts';
import { withTenant } from '../../db/tenant.ts';
import { spendOf } from './meter.ts';
import { mlUsage } from './table.ts';

/** Counts as many tokens as there can be, and gives what puts those in their place that there were. */
export type TokenMeter = (
  request: FastifyRequest,
  reply: FastifyReply,
  atMost: number,
) => Promise<(used: number) => Promise<void>>;

export function createTokenMeter(database: Database, limit: number | undefined): TokenMeter {
  return async (request, reply, atMost) => {
    const { organizationId } = accessOf(request);
    const month = await withTenant(database, organizationId, (tx) =>
      spendOf('tokens', tx, reply, atMost, limit),
    );
    return async (used) => {
      const tokens = sql`greatest(0, ${mlUsage.tokens} + ${used - atMost})`;
      // The caller has the answer, or is told why not; not that this failed on top.
      await withTenant(database, organizationId, (tx) =>
        tx.update(mlUsage).set({ tokens }).where(eq(mlUsage.month, month)),
      ).catch((err) => request.log.error({ err, atMost, used }, 'more tokens stay counted'));
    };
  };
}
