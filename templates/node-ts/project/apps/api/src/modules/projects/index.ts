import { defineModule } from '../../module.ts';
import { registerRoutes } from './routes.ts';

/** The example resource: copy this folder to begin one of your own. */
export const projects = defineModule({ name: 'projects', register: registerRoutes });
