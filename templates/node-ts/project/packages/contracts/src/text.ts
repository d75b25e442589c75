import { z } from 'zod';

/** Trimmed text of at most `max` characters that PostgreSQL can store: it has no NUL. */
export function text(max: number) {
  return z
    .string()
    .trim()
    .max(max)
    .regex(/^\P{Cc}*(?:[\t\n\r]\P{Cc}*)*$/u, 'Must not hold control characters');
}
