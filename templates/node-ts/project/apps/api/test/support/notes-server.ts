import { loadConfig } from '../../src/config.ts';
import { modules } from '../../src/modules/index.ts';
import { serve } from '../../src/serve.ts';
import { noteModule } from './notes.ts';

/** The real server with the tests' own resource. */
const all = [...modules, noteModule];
await serve(loadConfig(process.env, all), all);
