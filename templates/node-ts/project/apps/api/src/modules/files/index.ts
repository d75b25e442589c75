import { defineModule } from '../../module.ts';
import { fileJobs } from './jobs.ts';
import { notConfigured, openStorage } from './open-storage.ts';
import {
  type Files,
  registerContent,
  registerDelete,
  registerLink,
  registerList,
  registerRead,
} from './routes.ts';
import { settings } from './settings.ts';
import { StorageError } from './storage.ts';
import { registerUpload } from './upload.ts';

/** Files of an organization: their bytes in a folder or a bucket, what is known of them in a table. */
export const files = defineModule({
  name: 'files',
  env: settings,
  jobs: ({ database, config }, env) => fileJobs(database, () => openStorage(config, env)),
  async register(app, services, env) {
    const storage = await openStorage(services.config, env);
    const shared: Files = {
      settings: env,
      storage() {
        if (!storage) throw notConfigured();
        return storage;
      },
    };
    app.addHook('onError', async ({ raw, log }, reply, error) => {
      if (error instanceof StorageError) log.error({ err: error.reason }, 'the storage failed');
      // Else the rest of a refused file would come, only to be thrown away.
      if (!raw.complete) reply.header('connection', 'close');
    });
    registerList(app, services, shared);
    registerUpload(app, services, shared);
    registerRead(app, services, shared);
    registerContent(app, services, shared);
    registerLink(app, services, shared);
    registerDelete(app, services, shared);
  },
});
