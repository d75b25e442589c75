import { Buffer } from 'node:buffer';
import type { Permission } from '../../auth/permissions.ts';
import type { Transaction } from '../../db/database.ts';
import { liveEvents } from './table.ts';

/** In JSON. An event says what has changed, and everybody who listens gets it: no place for contents. */
const MOST_BYTES = 8_000;

export interface News {
  /** What has happened to what, such as `task.created`. */
  readonly type: `${string}.${string}`;
  /** Those who may not do this do not hear of it, such as `task:read`. */
  readonly audience: Permission;
  /** Ids rather than contents: who hears of it asks for the rest. */
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * Tells those of the organization who listen, when `tx` commits, and only then; `tx` is that of a
 * `withTenant`. Its number it gets at the commit, so nobody waits for a transaction that takes long.
 */
export async function tell(tx: Transaction, { type, audience, data }: News): Promise<void> {
  const bytes = Buffer.byteLength(JSON.stringify(data));
  if (bytes > MOST_BYTES) throw new RangeError(`${type} has ${bytes} bytes, not ${MOST_BYTES}`);
  await tx.insert(liveEvents).values({ type, audience, data });
}
