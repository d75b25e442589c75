import { defineModule } from '../../module.ts';
import { registerRoutes } from './routes.ts';

/** Owners and admins make keys for programs here; auth/api-keys.ts lets those in. */
export const apiKeys = defineModule({ name: 'api-keys', register: registerRoutes });
