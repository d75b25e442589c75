import { z } from 'zod';
import type { Database } from '../../db/database.ts';
import { defineJob, handle, type JobHandler } from '../../queue/job.ts';
import { deleteBefore } from './events.ts';

const HOUR_MS = 3_600_000;

export const forget = defineJob({
  name: 'live.forget',
  payload: z.object({}),
  schedule: '*/10 * * * *',
});

/** Takes away what nobody can ask for any more. */
export function liveJobs(database: Database, hours: number): JobHandler[] {
  return [
    handle(forget, async (_payload, { signal, log }) => {
      const before = new Date(Date.now() - hours * HOUR_MS);
      const deleted = await deleteBefore(database, before, signal);
      log.info({ deleted }, 'old live events deleted');
    }),
  ];
}
