import type { FileQuery } from '@app/contracts';
import { and, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import type { Transaction } from '../../db/database.ts';
import { newestFirst, olderThan, pageOf } from '../../http/cursor.ts';
import { files } from './table.ts';

export type FileRow = typeof files.$inferSelect;
export type NewFile = Pick<typeof files.$inferInsert, 'name' | 'type' | 'size' | 'uploadedBy'>;

const stored = isNotNull(files.storedAt);

export async function listFiles(tx: Transaction, { limit, cursor }: FileQuery) {
  const rows = await tx
    .select()
    .from(files)
    .where(and(stored, olderThan(files, cursor)))
    .orderBy(...newestFirst(files))
    .limit(limit + 1);
  return pageOf(rows, limit);
}

export async function findFile(tx: Transaction, id: string): Promise<FileRow | undefined> {
  const [row] = await tx
    .select()
    .from(files)
    .where(and(stored, eq(files.id, id)));
  return row;
}

/** Keeps a place for bytes that are still to come; undefined where there is no room for them. */
export async function beginFile(
  tx: Transaction,
  file: NewFile,
  quota: number,
): Promise<string | undefined> {
  // One after the other, or uploads that begin at once would each find room.
  await tx.execute(
    sql`select pg_advisory_xact_lock(hashtextextended('files ' || current_setting('app.organization_id'), 0))`,
  );
  const [used] = await tx
    .select({ bytes: sql`coalesce(sum(size), 0)`.mapWith(Number) })
    .from(files);
  if ((used?.bytes ?? 0) + file.size > quota) return undefined;
  const [row] = await tx.insert(files).values(file).returning({ id: files.id });
  return row?.id;
}

/** The bytes are in the storage: from now on there is a file. Undefined where its row has gone meanwhile. */
export async function finishFile(
  tx: Transaction,
  id: string,
  sha256: string,
): Promise<FileRow | undefined> {
  const [row] = await tx
    .update(files)
    // Lists are in order of this: nothing comes in behind a page that somebody has read.
    .set({ sha256, storedAt: sql`now()`, createdAt: sql`now()` })
    .where(and(eq(files.id, id), isNull(files.storedAt)))
    .returning();
  return row;
}

/** Whether it is no file now, so that its bytes may go. */
export async function dropUnfinished(tx: Transaction, id: string): Promise<boolean> {
  await tx.delete(files).where(and(eq(files.id, id), isNull(files.storedAt)));
  return (await tx.$count(files, eq(files.id, id))) === 0;
}

export async function deleteFile(tx: Transaction, id: string): Promise<boolean> {
  const rows = await tx
    .delete(files)
    .where(and(stored, eq(files.id, id)))
    .returning({ id: files.id });
  return rows.length > 0;
}
