import { and, eq, gte, isNull, sql } from 'drizzle-orm';
import { z } from 'zod';
import type { Transaction } from '../../db/database.ts';
import { withTenant } from '../../db/tenant.ts';
import { defineJob, enqueue } from '../../queue/job.ts';
import { findAccount } from './accounts.ts';
import type { Meter } from './catalogue.ts';
import type { BillingParts } from './stripe.ts';
import { billingUsage } from './table.ts';

export interface Usage {
  readonly meter: Meter;
  /** A whole number. */
  readonly value: number;
  /** Of what was done, such as a row's id: the same again is not counted twice. */
  readonly identifier: string;
}

/** Stripe may be away for about a day; it takes usage of the last 35 days. */
export const sendUsage = defineJob({
  name: 'billing.usage',
  payload: z.object({ usageId: z.uuid() }),
  retries: 150,
  longestPauseSeconds: 600,
  timeoutSeconds: 60,
});

/** Counts something, once for each identifier, if `tx` (of `withTenant`) commits; false if it was counted. */
export async function recordUsage(tx: Transaction, usage: Usage): Promise<boolean> {
  const [row] = await tx
    .insert(billingUsage)
    .values(usage)
    .onConflictDoNothing()
    .returning({ id: billingUsage.id });
  if (!row) return false;
  // Of whoever is no customer nobody has to be told.
  if ((await findAccount(tx))?.customerId) await enqueue(tx, sendUsage, { usageId: row.id });
  return true;
}

/** How much of it was used since then. */
export async function usageSince(tx: Transaction, meter: Meter, since: Date): Promise<number> {
  const [row] = await tx
    .select({ total: sql<string>`coalesce(sum(${billingUsage.value}), 0)` })
    .from(billingUsage)
    .where(and(eq(billingUsage.meter, meter), gte(billingUsage.usedAt, since)));
  return Number(row?.total);
}

/** Tells Stripe. */
export async function reportUsage(
  { database, connect }: BillingParts,
  organizationId: string,
  id: string,
): Promise<void> {
  const unsent = and(eq(billingUsage.id, id), isNull(billingUsage.sentAt));
  const [account, [usage]] = await withTenant(database, organizationId, async (tx) => [
    await findAccount(tx),
    await tx.select().from(billingUsage).where(unsent),
  ]);
  if (!usage || !account?.customerId) return;
  const { meter, value, usedAt } = usage;
  const stripe = await connect();
  try {
    // No idempotency key: Stripe would repeat a failure of its own. It knows the event by its identifier.
    await stripe.billing.meterEvents.create({
      event_name: meter,
      identifier: id,
      timestamp: Math.floor(usedAt.getTime() / 1_000),
      payload: { stripe_customer_id: account.customerId, value: String(value) },
    });
  } catch (error) {
    if (!wasTold(error)) throw error;
  }
  await withTenant(database, organizationId, (tx) =>
    tx.update(billingUsage).set({ sentAt: sql`now()` }).where(unsent),
  );
}

/** Stripe has no code for it, only words. */
function wasTold(error: unknown): boolean {
  return error instanceof Error && /event already exists with identifier/i.test(error.message);
}
