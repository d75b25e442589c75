import { and, asc, gt, isNotNull, sql } from 'drizzle-orm';
import type { Permission } from '../../auth/permissions.ts';
import type { Database } from '../../db/database.ts';
import { withTenant } from '../../db/tenant.ts';
import { liveEvents, liveSequences } from './table.ts';

/** How many are read at once. */
export const PAGE = 100;
/** How many old ones are deleted in one transaction. */
const BATCH = 1_000;

/** An event in the words of its message, put together once for all streams. */
export interface StoredEvent {
  readonly sequence: number;
  readonly audience: Permission;
  readonly json: string;
}

export interface Read {
  /** The number of the organization's last event when the reading began. */
  readonly last: number;
  readonly events: readonly StoredEvent[];
}

/** The number of the organization's last event; 0 where there was none. */
export function readLast(database: Database, organizationId: string): Promise<number> {
  return withTenant(database, organizationId, async (tx) => {
    const [row] = await tx.select({ last: liveSequences.last }).from(liveSequences);
    return row?.last ?? 0;
  });
}

/** The next events after that number, oldest first. */
export function readAfter(
  database: Database,
  organizationId: string,
  after: number,
): Promise<Read> {
  return withTenant(database, organizationId, async (tx) => {
    // First the number, then the events: those that come in between are there, and not missed.
    const [row] = await tx.select({ last: liveSequences.last }).from(liveSequences);
    const rows = await tx
      .select()
      .from(liveEvents)
      .where(and(isNotNull(liveEvents.sequence), gt(liveEvents.sequence, after)))
      .orderBy(asc(liveEvents.sequence))
      .limit(PAGE);
    return { last: row?.last ?? 0, events: rows.map(toStored) };
  });
}

function toStored(row: typeof liveEvents.$inferSelect): StoredEvent {
  const { type, sequence, at, data } = row;
  return {
    sequence: sequence ?? 0,
    audience: row.audience as Permission,
    json: JSON.stringify({ type, sequence, at: at.toISOString(), data }),
  };
}

/** Deletes what is older than that, of all organizations, in batches; gives how many there were. */
export async function deleteBefore(
  database: Database,
  before: Date,
  signal: AbortSignal,
): Promise<number> {
  const at = before.toISOString();
  let deleted = 0;
  for (let some = BATCH; some === BATCH && !signal.aborted; deleted += some) {
    const { rows } = await database.withSettings({ 'app.live_events_before': at }, (tx) =>
      tx.execute(sql`
        delete from ${liveEvents} where id in (
          select id from ${liveEvents} where at < ${at}::timestamptz order by at limit ${BATCH})
        returning id`),
    );
    some = rows.length;
  }
  return deleted;
}
