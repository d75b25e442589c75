import type { AppModule } from '../module.ts';
import { apiKeys } from './api-keys/index.ts';
import { billing } from './billing/index.ts';
import { files } from './files/index.ts';
import { generate } from './generate/index.ts';
import { health } from './health/index.ts';
import { jobs } from './jobs/index.ts';
import { live } from './live/index.ts';
import { ml } from './ml/index.ts';
import { mlStream } from './ml-stream/index.ts';
import { mlUsage } from './ml-usage/index.ts';
import { projects } from './projects/index.ts';
import { webhooks } from './webhooks/index.ts';

/** Everything this application does, in the order in which it is registered. */
export const modules: readonly AppModule[] = [
  health,
  projects,
  apiKeys,
  billing,
  live,
  files,
  webhooks,
  jobs,
  mlStream,
  ml,
  mlUsage,
  generate,
  // One line each, and yours after this one, so that what an update adds does not meet them.
];
