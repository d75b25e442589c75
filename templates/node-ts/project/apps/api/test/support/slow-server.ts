import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/config.ts';
import { defineModule } from '../../src/module.ts';
import { modules } from '../../src/modules/index.ts';
import { serve } from '../../src/serve.ts';

/** The real server with one route more, which takes as many milliseconds as it is told. */
const slow = defineModule({
  name: 'slow',
  register(app) {
    app.get<{ Params: { milliseconds: string } }>('/slow/:milliseconds', async (request) => {
      request.log.info('slow request begun');
      await sleep(Number(request.params.milliseconds));
      return { done: true };
    });
  },
});

const all = [...modules, slow];
await serve(loadConfig(process.env, all), all);
