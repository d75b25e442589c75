import { OrganizationParams, PredictionUsage } from '@app/contracts';
import { accessOf, BY_SESSION_OR_API_KEY, ORGANIZATION_PATH } from '../../auth/access.ts';
import { withTenant } from '../../db/tenant.ts';
import { problems } from '../../http/openapi.ts';
import { defineModule } from '../../module.ts';
import { readUsage } from './meter.ts';
import { NAME, settings } from './settings.ts';

/** What organizations have used of their predictions; the modules that make them count, with `meter.ts`. */
export const mlUsage = defineModule({
  name: NAME,
  env: settings,
  register(app, { database, requires }, env) {
    app.get(
      `${ORGANIZATION_PATH}/predictions/usage`,
      {
        preParsing: requires('prediction:read'),
        schema: {
          tags: ['predictions'],
          security: BY_SESSION_OR_API_KEY,
          operationId: 'readPredictionUsage',
          summary: 'How many predictions were made this month and before',
          params: OrganizationParams,
          response: { 200: PredictionUsage, ...problems(400, 401, 403, 404, 429) },
        },
      },
      async (request, reply) => {
        const usage = await withTenant(database, accessOf(request).organizationId, readUsage);
        return reply.code(200).send({ ...usage, limit: env.ML_MONTHLY_PREDICTIONS ?? null });
      },
    );
  },
});
