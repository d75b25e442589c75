import type { AppModule } from '../module.ts';
import { apiKeys } from './api-keys/index.ts';
import { billing } from './billing/index.ts';
import { health } from './health/index.ts';
import { projects } from './projects/index.ts';

/** Everything this application does, in the order in which it is registered. */
export const modules: readonly AppModule[] = [
  health,
  projects,
  apiKeys,
  billing,
  // One line each, and yours after this one, so that what an update adds does not meet them.
];
