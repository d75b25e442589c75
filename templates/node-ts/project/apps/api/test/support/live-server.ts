import { loadConfig } from '../../src/config.ts';
import { defineModule } from '../../src/module.ts';
import { modules } from '../../src/modules/index.ts';
import { serve } from '../../src/serve.ts';
import { tellOf } from './listening.ts';
import { noteModule } from './notes.ts';

interface Params {
  readonly organization: string;
  readonly what: string;
}

/** The real server with a route that tells an organization of something. */
const teller = defineModule({
  name: 'teller',
  register(app, { database }) {
    app.post<{ Params: Params }>('/tell/:organization/:what', async ({ params }) => {
      await tellOf(database, params.organization, params.what);
      return {};
    });
  },
});

const all = [...modules, noteModule, teller];
await serve(loadConfig(process.env, all), all);
