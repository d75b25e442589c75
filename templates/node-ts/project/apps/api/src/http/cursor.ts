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
