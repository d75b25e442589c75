import type { preParsingAsyncHookHandler } from 'fastify';
import { accessOf } from '../../auth/access.ts';
import type { Database } from '../../db/database.ts';
import { ProblemError } from '../../http/problems.ts';
import { planOf } from './accounts.ts';
import { type Catalogue, type Entitlement, catalogue as ours } from './catalogue.ts';

/**
 * A hook that lets a request pass only where the organization's plan includes something. It stands behind
 * `requires`: `preParsing: [requires('report:read'), entitles(database, 'reports')]`.
 */
export function entitles(
  database: Database,
  entitlement: Entitlement,
  catalogue: Catalogue = ours,
): preParsingAsyncHookHandler {
  return async (request) => {
    const { plan } = await planOf({ database, catalogue }, accessOf(request).organizationId);
    if (plan.entitlements.includes(entitlement)) return;
    const others = catalogue.buyable.filter(({ entitlements }) =>
      entitlements.includes(entitlement),
    );
    const titles = others.map(({ title }) => title).join(' or ');
    const detail = `The plan ${plan.title} does not include ${entitlement}: it takes ${titles}`;
    throw new ProblemError(402, 'not_in_plan', detail);
  };
}
