import type { App } from '../../http/app.ts';
import type { AppModule } from '../../module.ts';
import { defineModule } from '../../module.ts';
import type { Catalogue, Env } from './catalogue.ts';
import { billingJobs } from './jobs.ts';
import { keepPlanTable } from './plan-table.ts';
import { registerRoutes } from './routes.ts';
import { connectWith } from './stripe.ts';
import { registerWebhook } from './webhook.ts';

/** The module, for one catalogue: tests have another than the application. */
export function createBilling(catalogue: Catalogue): AppModule {
  return defineModule({
    name: 'billing',
    env: catalogue.settings,
    jobs: ({ database }, given) => {
      const env = given as Env;
      return billingJobs({ database, catalogue, env, connect: connectWith(env) });
    },
    async register(app, services, given) {
      const env = given as Env;
      const parts = { ...services, catalogue, env, connect: connectWith(env) };
      registerRoutes(app, parts);
      // A scope of its own, in which bodies stay as they came.
      await app.register(async (scope: App) => registerWebhook(scope, parts));
      keepPlanTable(app, parts);
    },
  });
}
