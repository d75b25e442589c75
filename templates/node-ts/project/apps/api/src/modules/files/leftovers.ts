import { asc, eq, lte, sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { withTenant } from '../../db/tenant.ts';
import { dropUnfinished } from './repository.ts';
import type { FileStorage } from './storage.ts';
import { fileLeftovers } from './table.ts';

const AT_ONCE = 500;

type Leftover = Pick<typeof fileLeftovers.$inferSelect, 'fileId' | 'tenant'>;

/**
 * Removes the bytes of what is no file: for uploads that are over, and for what was deleted. They go
 * only once that is certain; a commit may have come through although nobody heard of it.
 */
export async function discard(
  database: Database,
  storage: FileStorage,
  { fileId, tenant }: Leftover,
): Promise<void> {
  const isGone = await withTenant(database, tenant, (tx) => dropUnfinished(tx, fileId));
  if (isGone) await storage.remove(fileId);
  await database.db.delete(fileLeftovers).where(eq(fileLeftovers.fileId, fileId));
}

/** What cannot be removed stays in the table, and is thrown. */
export async function discardAllDue(
  database: Database,
  storage: FileStorage,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const due = await database.db
      .select()
      .from(fileLeftovers)
      .where(lte(fileLeftovers.dueAt, sql`now()`))
      .orderBy(asc(fileLeftovers.dueAt))
      .limit(AT_ONCE);
    for (const leftover of due) {
      if (signal.aborted) return;
      await discard(database, storage, leftover);
    }
    if (due.length < AT_ONCE) return;
  }
}
