import type { ApiKeyQuery, ApiKeyRotation, NewApiKey } from '@app/contracts';
import { eq, getTableColumns, lt, sql } from 'drizzle-orm';
import type { Secret } from '../../auth/api-key-secret.ts';
import { apiKeys } from '../../auth/table.ts';
import type { Transaction } from '../../db/database.ts';
import { newestFirst, olderThan, pageOf } from '../../http/cursor.ts';

/** Of one organization. */
const MOST = 100;
/** How long those that have expired can be seen, and rotated. */
const EXPIRED_DAYS = 30;

// Hashes stay in PostgreSQL.
const { hash: _, previousHash: __, ...columns } = getTableColumns(apiKeys);

export type ApiKeyRow = Omit<typeof apiKeys.$inferSelect, 'hash' | 'previousHash'>;

export async function listApiKeys(tx: Transaction, query: ApiKeyQuery) {
  const rows = await tx
    .select(columns)
    .from(apiKeys)
    .where(olderThan(apiKeys, query.cursor))
    .orderBy(...newestFirst(apiKeys))
    .limit(query.limit + 1);
  return pageOf(rows, query.limit);
}

/** Undefined where there are as many as there may be. */
export async function insertApiKey(
  tx: Transaction,
  { name, scopes, expiresInDays }: NewApiKey,
  { hash, preview }: Secret,
  madeBy: string,
): Promise<ApiKeyRow | undefined> {
  // One after the other, or requests that come at once would each find room.
  await tx.execute(
    sql`select pg_advisory_xact_lock(hashtextextended('api_keys ' || current_setting('app.organization_id'), 0))`,
  );
  await tx
    .delete(apiKeys)
    .where(lt(apiKeys.expiresAt, sql`now() - make_interval(days => ${EXPIRED_DAYS})`));
  if ((await tx.$count(apiKeys)) >= MOST) return undefined;
  const [row] = await tx
    .insert(apiKeys)
    .values({ name, scopes, hash, preview, madeBy, expiresAt: inDays(expiresInDays) })
    .returning(columns);
  return row;
}

/** For a change; others who want to change it wait. */
export async function lockApiKey(tx: Transaction, id: string) {
  const [row] = await tx
    .select({ scopes: apiKeys.scopes, isOver: sql<boolean>`coalesce(expires_at <= now(), false)` })
    .from(apiKeys)
    .where(eq(apiKeys.id, id))
    .for('update');
  return row;
}

/** The secret until now is good for a while, yet no longer than it would have been. */
export async function rotateApiKey(
  tx: Transaction,
  id: string,
  { graceSeconds, expiresInDays }: ApiKeyRotation,
  { hash, preview }: Secret,
  madeBy: string,
): Promise<ApiKeyRow | undefined> {
  const grace = sql`now() + make_interval(secs => ${graceSeconds})`;
  const [row] = await tx
    .update(apiKeys)
    .set({
      hash,
      preview,
      madeBy,
      previousHash: sql`hash`,
      previousMadeBy: sql`made_by`,
      previousUntil: sql`least(${grace}, expires_at)`,
      ...(expiresInDays !== undefined && { expiresAt: inDays(expiresInDays) }),
    })
    .where(eq(apiKeys.id, id))
    .returning(columns);
  return row;
}

export async function deleteApiKey(tx: Transaction, id: string): Promise<boolean> {
  const rows = await tx.delete(apiKeys).where(eq(apiKeys.id, id)).returning({ id: apiKeys.id });
  return rows.length > 0;
}

function inDays(days: number | undefined) {
  return days === undefined ? null : sql`now() + make_interval(days => ${days})`;
}
