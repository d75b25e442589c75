import type { AppModule } from '../module.ts';
import { apiKeys } from './api-keys/index.ts';
import { health } from './health/index.ts';
import { live } from './live/index.ts';
import { projects } from './projects/index.ts';

/** Everything this application does, in the order in which it is registered. */
export const modules: readonly AppModule[] = [
  health,
  projects,
  apiKeys,
  live,
  // One line each, and yours after this one, so that what an update adds does not meet them.
];
