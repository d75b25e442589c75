import { z } from 'zod';
import { defineModule, type Services } from '../../module.ts';
import { AddressGuard, isNetwork } from './addresses.ts';
import { registerDeliveryRoutes } from './delivery-routes.ts';
import { registerEndpointActions } from './endpoint-actions.ts';
import { registerEndpointRoutes } from './endpoint-routes.ts';
import { webhookJobs } from './jobs.ts';
import { SecretBox } from './secrets.ts';

const cidrs = z
  .string()
  .default('')
  .transform((text) => text.split(',').flatMap((part) => part.trim() || []))
  .refine((parts) => parts.every(isNetwork), 'must be networks such as 10.0.0.0/8,127.0.0.0/8');

const env = {
  ALLOWED_PRIVATE_CIDRS: cidrs,
  WEBHOOK_RETENTION_DAYS: z.coerce.number().int().min(1).max(3_650).default(30),
};

/** Organizations are told of events at addresses of theirs: docs/webhooks.md. */
export const webhooks = defineModule({
  name: 'webhooks',
  env,
  register(app, services, settings) {
    const parts = partsOf(services, settings);
    registerEndpointRoutes(app, services, parts);
    registerEndpointActions(app, services, parts);
    registerDeliveryRoutes(app, services);
  },
  jobs: (services, settings) => webhookJobs(services, partsOf(services, settings)),
});

function partsOf({ config, offered }: Services, settings: z.output<z.ZodObject<typeof env>>) {
  return {
    eventTypes: offered,
    guard: new AddressGuard(settings.ALLOWED_PRIVATE_CIDRS),
    box: new SecretBox(config.AUTH_SECRET),
    retentionDays: settings.WEBHOOK_RETENTION_DAYS,
  };
}
