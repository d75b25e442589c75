import { sql } from 'drizzle-orm';
import { z } from 'zod';
import { loadConfig } from '../../src/config.ts';
import { defineModule } from '../../src/module.ts';
import { modules } from '../../src/modules/index.ts';
import { workerModules } from '../../src/modules/workers.ts';
import { defineEvent, on } from '../../src/queue/event.ts';
import { serve } from '../../src/serve.ts';
import { noteModule } from './notes.ts';

const asked = defineEvent({ name: 'work.asked', payload: z.object({ number: z.int() }) });

/** A worker that does nothing for so many seconds counts as gone. */
const job = { name: 'test.work', timeoutSeconds: 5, retryAfterSeconds: 1 };

/** The real server with the tests' own resource, a route that publishes an event and one whose statement fails. With HANG=true, its jobs begin and never end. */
const work = defineModule({
  name: 'work',
  register(app, { database, publish }) {
    app.post<{ Params: { number: string } }>('/work/:number', async (request, reply) => {
      await publish(database.db, asked, { number: Number(request.params.number) });
      return reply.code(202).send({ accepted: true });
    });
    // PostgreSQL quotes the value in what it says.
    app.get<{ Params: { value: string } }>('/unreadable/:value', async (request) =>
      database.db.execute(sql`select ${request.params.value}::uuid`),
    );
  },
  jobs: () => [
    on(asked, job, async ({ number }, { log }) => {
      log.info(`work ${number} begun`);
      if (process.env.HANG === 'true') await new Promise(() => undefined);
      log.info(`work ${number} ended`);
    }),
  ],
});

const all = [...modules, noteModule, work];
const config = loadConfig(process.env, all);
if (process.env.ONLY_JOBS === 'true') {
  await serve(config, workerModules, { authRoutes: false, jobsOf: all });
} else {
  await serve(config, all);
}
