import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/config.ts';
import { defineModule } from '../../src/module.ts';
import { modules } from '../../src/modules/index.ts';
import { serve } from '../../src/serve.ts';

/** The real server with routes that take as many milliseconds as they are told or hold a transaction. */
const slow = defineModule({
  name: 'slow',
  register(app, { database }) {
    app.get<{ Params: { milliseconds: string } }>('/slow/:milliseconds', async (request) => {
      request.log.info('slow request begun');
      await sleep(Number(request.params.milliseconds));
      return { done: true };
    });
    app.get('/stuck', async (request) => {
      request.log.info('slow request begun');
      await database.db.transaction(() => sleep(60_000));
    });
  },
});

const all = [...modules, slow];
await serve(loadConfig(process.env, all), all);
