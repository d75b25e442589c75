import type { z } from 'zod';

/** A route of better-auth that clients use: what it takes is checked before better-auth gets it. */
export interface AuthRoute {
  readonly method: 'GET' | 'POST';
  /** Below /api/auth. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly answer: z.ZodType;
  readonly body?: z.ZodType;
  readonly query?: z.ZodType;
  /** Open to callers without a session. */
  readonly open?: true;
  /** Writes several rows: all of them or none. It holds a connection while it works. */
  readonly atomic?: true;
  /** Where something could be guessed or mailboxes filled: limited for each account too. */
  readonly limit?: 'password' | 'mail';
}
