import { z } from 'zod';
import { defineModule, type Services } from '../../module.ts';
import { settings as mlSettings } from '../ml/settings.ts';
import { createPatientClient } from './embedding.ts';
import { searchJobs } from './jobs.ts';
import { registerRoutes } from './routes.ts';

const env = {
  SEARCH_EMBED_TIMEOUT_MS: z.coerce.number().int().min(1).max(600_000).default(30_000),
};

/** Documents of organizations, and search in them by meaning and by words: docs/search.md. */
export const search = defineModule({
  name: 'search',
  env,
  register(app, services) {
    registerRoutes(app, services, mlOf(services));
  },
  jobs: (services, { SEARCH_EMBED_TIMEOUT_MS }) =>
    searchJobs(services.database, createPatientClient(mlOf(services), SEARCH_EMBED_TIMEOUT_MS)),
});

/** How to reach the service is the ml module's. */
function mlOf({ config }: Services) {
  return z.object(mlSettings).parse(config.modules.ml);
}
