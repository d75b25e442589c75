import { z } from 'zod';
import type { Db, Transaction } from '../db/database.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { defineJob, enqueue, HopelessJobError, handle, type JobHandler } from '../queue/job.ts';
import { Letter, write } from './letter.ts';
import { MailError, type Mailer } from './mailer.ts';

/** A mail server may be away for about a day before a mail counts as dead. */
const sendMail = defineJob({
  name: 'mail.send',
  payload: z.object({
    to: z.string(),
    letter: Letter,
  }),
  retries: 150,
  longestPauseSeconds: 600,
  timeoutSeconds: 60,
  // It has a reader by then, and may hold a link that lets people in.
  keepSeconds: 60,
});

/**
 * Has a mail sent once `tx` has committed, and only then. It waits for no mail server, and is tried
 * again until one takes the mail; what is refused for good is a dead letter.
 */
export async function postMail(tx: Db | Transaction, to: string, letter: Letter): Promise<void> {
  await enqueue(tx, sendMail, { to, letter });
}

export function sendWith(mailer: Mailer, metrics: Metrics): JobHandler {
  const count = metrics.counter({
    name: 'mails_total',
    help: 'Mails that a server took (sent), did not take yet (put_off), or that nobody will get (lost).',
    labels: { outcome: ['sent', 'put_off', 'lost'] },
  });
  return handle(sendMail, async ({ to, letter }, { id, isLast }) => {
    try {
      await mailer.send({ id, to, ...write(letter) });
      count({ outcome: 'sent' });
    } catch (error) {
      const isFinal = error instanceof MailError && error.final;
      count({ outcome: isFinal || isLast ? 'lost' : 'put_off' });
      if (isFinal) throw new HopelessJobError(error.message);
      throw error;
    }
  });
}
