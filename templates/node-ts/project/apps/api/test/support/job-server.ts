import { z } from 'zod';
import { loadConfig } from '../../src/config.ts';
import { defineModule } from '../../src/module.ts';
import { modules } from '../../src/modules/index.ts';
import { workerModules } from '../../src/modules/workers.ts';
import { defineJob, enqueue, handle } from '../../src/queue/job.ts';
import { serve } from '../../src/serve.ts';

/** A worker that does nothing for so many seconds counts as gone. */
const job = defineJob({
  name: 'test.work',
  payload: z.object({ number: z.int() }),
  timeoutSeconds: 5,
  retryAfterSeconds: 1,
});

/** The real server with a route that enqueues a job. With HANG=true, jobs begin and never end. */
const work = defineModule({
  name: 'work',
  register(app, { database }) {
    app.post<{ Params: { number: string } }>('/work/:number', async (request, reply) => {
      await enqueue(database.db, job, { number: Number(request.params.number) });
      return reply.code(202).send({ accepted: true });
    });
  },
  jobs: () => [
    handle(job, async ({ number }, { log }) => {
      log.info(`work ${number} begun`);
      if (process.env.HANG === 'true') await new Promise(() => undefined);
      log.info(`work ${number} ended`);
    }),
  ],
});

const all = [...modules, work];
const config = loadConfig(process.env, all);
if (process.env.ONLY_JOBS === 'true') {
  await serve(config, workerModules, { authRoutes: false, jobsOf: all });
} else {
  await serve(config, all);
}
