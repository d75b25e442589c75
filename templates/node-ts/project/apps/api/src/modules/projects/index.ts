import { defineModule } from '../../module.ts';
import { projectCreated, projectDeleted, projectUpdated } from './events.ts';
import { registerRoutes } from './routes.ts';

/** The example resource: copy this folder to begin one of your own. */
export const projects = defineModule({
  name: 'projects',
  offers: [projectCreated, projectUpdated, projectDeleted],
  register: registerRoutes,
});
