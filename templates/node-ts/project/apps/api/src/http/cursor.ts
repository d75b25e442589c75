import { desc, type SQL, sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import { z } from 'zod';
import { ProblemError } from './problems.ts';

/** The last row of a page: the next page starts behind it. */
export interface Position {
  readonly createdAt: Date;
  readonly id: string;
}

// Years that PostgreSQL and JavaScript both understand.
const Content = z.tuple([z.iso.datetime().regex(/^[0-9]{4}-/), z.uuid()]);

export function encodeCursor({ createdAt, id }: Position): string {
  return Buffer.from(JSON.stringify([createdAt.toISOString(), id])).toString('base64url');
}

/** A cursor comes from outside: whatever is not one of ours is a 400. */
export function decodeCursor(cursor: string): Position {
  try {
    const [createdAt, id] = Content.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
    return { createdAt: new Date(createdAt), id };
  } catch {
    throw new ProblemError(400, 'invalid_cursor', 'The cursor is not one that this list gave out');
  }
}

/** What every list is in order of. */
interface Ordered {
  readonly createdAt: AnyPgColumn;
  readonly id: AnyPgColumn;
}

export function newestFirst(table: Ordered): SQL[] {
  return [desc(table.createdAt), desc(table.id)];
}

/** The rows behind a cursor; without one, all. */
export function olderThan(table: Ordered, cursor: string | undefined): SQL | undefined {
  if (cursor === undefined) return undefined;
  const { createdAt, id } = decodeCursor(cursor);
  return sql`(${table.createdAt}, ${table.id}) < (${createdAt.toISOString()}::timestamptz, ${id}::uuid)`;
}

/** The page that `limit + 1` rows make: the last of them only tells that there are more. */
export function pageOf<Row extends Position>(rows: readonly Row[], limit: number) {
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { items, nextCursor: last ? encodeCursor(last) : null };
}
