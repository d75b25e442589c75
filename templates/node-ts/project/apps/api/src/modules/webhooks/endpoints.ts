import type {
  NewWebhookEndpoint,
  PageQuery,
  WebhookEndpointChanges,
  WebhookRotation,
} from '@app/contracts';
import { and, arrayContains, eq, inArray, isNotNull, isNull, or, sql } from 'drizzle-orm';
import type { z } from 'zod';
import type { Transaction } from '../../db/database.ts';
import { newestFirst, olderThan, pageOf } from '../../http/cursor.ts';
import type { Versions } from '../../http/etag.ts';
import { webhookEndpoints as endpoints } from './table.ts';

/** Of one organization. */
const MOST = 50;
/** With everything that is shown of it: the ETag is made from it. */
const NEXT_VERSION = sql`${endpoints.version} + 1`;

export type EndpointRow = typeof endpoints.$inferSelect;

// No query here names the organization: withTenant has, and PostgreSQL keeps to it.

export async function listEndpoints(tx: Transaction, { limit, cursor }: z.infer<typeof PageQuery>) {
  const rows = await tx
    .select()
    .from(endpoints)
    .where(olderThan(endpoints, cursor))
    .orderBy(...newestFirst(endpoints))
    .limit(limit + 1);
  return pageOf(rows, limit);
}

export async function findEndpoint(tx: Transaction, id: string): Promise<EndpointRow | undefined> {
  const [row] = await tx.select().from(endpoints).where(eq(endpoints.id, id));
  return row;
}

/** For a change; others who want to change it wait. */
export async function lockEndpoint(tx: Transaction, id: string): Promise<EndpointRow | undefined> {
  const [row] = await tx.select().from(endpoints).where(eq(endpoints.id, id)).for('update');
  return row;
}

/** Those that hear of an event. */
export function subscribedEndpoints(tx: Transaction, eventType: string): Promise<EndpointRow[]> {
  return tx
    .select()
    .from(endpoints)
    .where(and(endpoints.isEnabled, arrayContains(endpoints.eventTypes, [eventType])));
}

/** Undefined where there are as many as there may be. */
export async function insertEndpoint(
  tx: Transaction,
  values: NewWebhookEndpoint & { readonly id: string; readonly secret: string },
): Promise<EndpointRow | undefined> {
  // One after the other, or requests that come at once would each find room.
  await tx.execute(
    sql`select pg_advisory_xact_lock(hashtextextended('webhook_endpoints ' || current_setting('app.organization_id'), 0))`,
  );
  if ((await tx.$count(endpoints)) >= MOST) return undefined;
  const [row] = await tx.insert(endpoints).values(values).returning();
  return row;
}

/** Changes the row if it has one of the versions. Whoever enables it lets it begin anew. */
export async function updateEndpoint(
  tx: Transaction,
  id: string,
  versions: Versions,
  changes: WebhookEndpointChanges,
): Promise<EndpointRow | undefined> {
  const anew = { disabledBecause: null, failingSince: null, pausedUntil: null };
  const [row] = await tx
    .update(endpoints)
    .set({
      ...changes,
      ...(changes.isEnabled !== undefined && anew),
      version: NEXT_VERSION,
    })
    .where(inVersion(id, versions))
    .returning();
  return row;
}

/** Deletes the row, and its deliveries, if it has one of the versions. */
export async function deleteEndpoint(
  tx: Transaction,
  id: string,
  versions: Versions,
): Promise<boolean> {
  const rows = await tx
    .delete(endpoints)
    .where(inVersion(id, versions))
    .returning({ id: endpoints.id });
  return rows.length > 0;
}

/** Messages are signed with the secret until now, too, for a while. */
export async function rotateSecret(
  tx: Transaction,
  id: string,
  { graceSeconds }: WebhookRotation,
  secret: string,
): Promise<EndpointRow | undefined> {
  const [row] = await tx
    .update(endpoints)
    .set({
      secret,
      previousSecret: graceSeconds > 0 ? sql`secret` : null,
      previousUntil: graceSeconds > 0 ? sql`now() + make_interval(secs => ${graceSeconds})` : null,
      version: NEXT_VERSION,
    })
    .where(eq(endpoints.id, id))
    .returning();
  return row;
}

/** Nothing is written where all was well before. */
export async function noteSuccess(tx: Transaction, id: string): Promise<void> {
  await tx
    .update(endpoints)
    .set({ failingSince: null, pausedUntil: null, version: NEXT_VERSION })
    .where(
      and(
        eq(endpoints.id, id),
        or(isNotNull(endpoints.failingSince), isNotNull(endpoints.pausedUntil)),
      ),
    );
}

export async function noteFailure(tx: Transaction, id: string, pausedUntil: Date | null) {
  await tx
    .update(endpoints)
    .set({
      failingSince: sql`coalesce(failing_since, now())`,
      ...(pausedUntil && { pausedUntil }),
      version: NEXT_VERSION,
    })
    .where(and(eq(endpoints.id, id), pausedUntil ? undefined : isNull(endpoints.failingSince)));
}

export async function disableEndpoint(tx: Transaction, id: string, because: 'gone' | 'failing') {
  await tx
    .update(endpoints)
    .set({ isEnabled: false, disabledBecause: because, version: NEXT_VERSION })
    .where(eq(endpoints.id, id));
}

function inVersion(id: string, versions: Versions) {
  return and(
    eq(endpoints.id, id),
    versions === 'any' ? undefined : inArray(endpoints.version, [...versions]),
  );
}
