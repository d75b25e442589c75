import { loadConfig } from '../config.ts';
import { readEnvironment } from '../environment.ts';
import { modules } from '../modules/index.ts';
import { workerModules } from '../modules/workers.ts';
import { serve } from '../serve.ts';
import { runOrExplain } from './run.ts';

/** Runs jobs and answers probes: to scale or place workers apart from the API. */
await runOrExplain(async () => {
  const config = loadConfig(readEnvironment(), modules);
  await serve(config, workerModules, { authRoutes: false, jobsOf: modules });
});
