import { AsyncLocalStorage } from 'node:async_hooks';
import { z } from 'zod';
import type { Database } from '../db/database.ts';
import { LANGUAGES } from '../mail/language.ts';
import { defineJob, enqueue } from '../queue/job.ts';
import { noteFailure } from './database-failures.ts';

/** A request for a new password as it came; nobody has looked yet whether anybody has the address. */
export const passwordReset = defineJob({
  name: 'auth.request-password-reset',
  payload: z.object({
    email: z.string(),
    redirectTo: z.string().optional(),
    language: z.enum(LANGUAGES),
  }),
  keepSeconds: 60,
});

/** In better-auth's words. */
const ANSWER = {
  status: true,
  message: 'If this email exists in our system, check your email for the reset link',
};

/** Leaves it to the job: then an answer takes as long for an address that nobody has. */
export async function deferReset(
  { db }: Database,
  asked: z.input<typeof passwordReset.payload>,
): Promise<typeof ANSWER> {
  await enqueue(db, passwordReset, asked).catch(noteFailure);
  return ANSWER;
}

const due = new AsyncLocalStorage<true>();

/** Whether it is the job that asks, and the time to look. */
export function isResetDue(): boolean {
  return due.getStore() === true;
}

export function asDueReset<Result>(work: () => Promise<Result>): Promise<Result> {
  return due.run(true, work);
}
