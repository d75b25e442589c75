import { z } from 'zod';
import type { Database } from '../../db/database.ts';
import { defineJob, handle, type JobHandler } from '../../queue/job.ts';
import { discardAllDue } from './leftovers.ts';
import type { FileStorage } from './storage.ts';

/**
 * Enqueued where a file is deleted. It also comes by itself, for what has gone with its organization
 * and for uploads that broke off. What fails is tried again.
 */
export const removeLeftovers = defineJob({
  name: 'files.remove-leftovers',
  payload: z.object({}),
  schedule: '*/5 * * * *',
});

export function fileJobs(
  database: Database,
  storage: () => Promise<FileStorage | undefined>,
): JobHandler[] {
  return [
    handle(removeLeftovers, async (_payload, { signal }) => {
      const from = await storage();
      if (from) await discardAllDue(database, from, signal);
    }),
  ];
}
