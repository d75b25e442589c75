import { z } from 'zod';
import type { Services } from '../../module.ts';

export const NAME = 'ml-usage';

/** What this module reads from the environment. */
export const settings = {
  /** For each organization; without it there is no limit, and all are counted. */
  ML_MONTHLY_PREDICTIONS: z.coerce.number().int().min(1).optional(),
};

/** For other modules, which count what they ask the service for. */
export function limitOf({ config }: Pick<Services, 'config'>): number | undefined {
  return z.object(settings).parse(config.modules[NAME]).ML_MONTHLY_PREDICTIONS;
}
