import type { AppModule } from '../module.ts';
import { health } from './health/index.ts';

/** What answers in a process that only runs jobs: `npm run worker`. */
export const workerModules: readonly AppModule[] = [health];
