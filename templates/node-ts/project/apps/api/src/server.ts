import { runOrExplain } from './commands/run.ts';
import { loadConfig } from './config.ts';
import { readEnvironment } from './environment.ts';
import { modules } from './modules/index.ts';
import { serve } from './serve.ts';

await runOrExplain(async () => {
  await serve(loadConfig(readEnvironment(), modules), modules);
});
