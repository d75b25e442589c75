import type { WebhookDeliveryQuery } from '@app/contracts';
import { and, eq, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../db/database.ts';
import { thisMoment } from '../../db/moment.ts';
import { TENANT_ROLE } from '../../db/tenant-role.ts';
import { newestFirst, olderThan, pageOf } from '../../http/cursor.ts';
import { webhookDeliveries as deliveries } from './table.ts';

export type DeliveryRow = typeof deliveries.$inferSelect;
export type NewDelivery = Pick<DeliveryRow, 'endpointId' | 'messageId' | 'eventType' | 'payload'>;

export async function listDeliveries(tx: Transaction, query: WebhookDeliveryQuery) {
  const rows = await tx
    .select()
    .from(deliveries)
    .where(
      and(
        query.endpointId === undefined ? undefined : eq(deliveries.endpointId, query.endpointId),
        query.status && eq(deliveries.status, query.status),
        olderThan(deliveries, query.cursor),
      ),
    )
    .orderBy(...newestFirst(deliveries))
    .limit(query.limit + 1);
  return pageOf(rows, query.limit);
}

export async function findDelivery(tx: Transaction, id: string): Promise<DeliveryRow | undefined> {
  const [row] = await tx.select().from(deliveries).where(eq(deliveries.id, id));
  return row;
}

/** Undefined where the endpoint has the message already. */
export async function insertDelivery(
  tx: Transaction,
  values: NewDelivery,
): Promise<DeliveryRow | undefined> {
  const [row] = await tx
    .insert(deliveries)
    .values({ ...values, nextAttemptAt: thisMoment })
    .onConflictDoNothing()
    .returning();
  return row;
}

/** To be sent again from now on, however it has ended. */
export async function reopenDelivery(
  tx: Transaction,
  id: string,
): Promise<DeliveryRow | undefined> {
  const [row] = await tx
    .update(deliveries)
    .set({ status: 'pending', nextAttemptAt: thisMoment, earlierAttempts: sql`attempts` })
    .where(eq(deliveries.id, id))
    .returning();
  return row;
}

/** Changes the delivery if it still waits for this attempt: of two that were at it, one is noted. */
export async function changeDelivery(
  tx: Transaction,
  { id, attempts }: Pick<DeliveryRow, 'id' | 'attempts'>,
  changes: Partial<DeliveryRow>,
): Promise<boolean> {
  const rows = await tx
    .update(deliveries)
    .set(changes)
    .where(waitsFor(id, attempts))
    .returning({ id: deliveries.id });
  return rows.length > 0;
}

export async function findWaiting(
  tx: Transaction,
  id: string,
  attempts: number,
): Promise<DeliveryRow | undefined> {
  const [row] = await tx.select().from(deliveries).where(waitsFor(id, attempts));
  return row;
}

function waitsFor(id: string, attempts: number) {
  return and(
    eq(deliveries.id, id),
    eq(deliveries.status, 'pending'),
    eq(deliveries.attempts, attempts),
  );
}

const AT_ONCE = 1_000;

/** Of all organizations: the one place where a policy shows rows of more than one. */
export async function deleteOldDeliveries(
  database: Database,
  days: number,
  signal: AbortSignal,
): Promise<number> {
  const settings = { 'app.webhook_retention': 'on', role: TENANT_ROLE };
  let count = 0;
  for (;;) {
    signal.throwIfAborted();
    const { rows } = await database.withSettings(settings, (tx) =>
      tx.execute(sql`
        delete from ${deliveries} where id in (
          select id from ${deliveries} where created_at < now() - make_interval(days => ${days})
          limit ${AT_ONCE})
        returning id`),
    );
    count += rows.length;
    if (rows.length < AT_ONCE) return count;
  }
}
