import { z } from 'zod';
import type { App } from '../../http/app.ts';
import { defineModule, type Services } from '../../module.ts';
import { createMlClient } from '../ml/client.ts';
import { settings as mlSettings } from '../ml/settings.ts';
import { switchOff } from '../ml/switch.ts';
import { createTransport } from '../ml/transport.ts';
import { createMetrics, type JobMetrics, registerMetrics } from './metrics.ts';
import { registerRoutes } from './routes.ts';
import { type JobSettings, settings } from './settings.ts';
import { JobWorker } from './worker.ts';

const NAME = 'jobs';

/** Predictions in the background, where ML_JOBS_ENABLED: the routes and, unless ML_JOBS_WORKER=false, a worker. */
export const jobs = defineModule({
  name: NAME,
  env: settings,
  register(app, services, env) {
    const isOn = env.ML_JOBS_ENABLED;
    if (!isOn) switchOff(app, 'ML_JOBS_ENABLED=true');
    const metrics = offerMetrics(app, services, env);
    const worker =
      isOn && env.ML_JOBS_WORKER ? startWorker(app, services, env, metrics) : undefined;
    registerRoutes(app, services, {
      enqueued: () => worker?.wake(),
      cancelled: (id) => worker?.cancelled(id),
    });
  },
});

/** A worker alone, for a process that does nothing else. */
export const jobWorker = defineModule({
  name: NAME,
  env: settings,
  register(app, services, env) {
    startWorker(app, services, env, offerMetrics(app, services, env));
  },
});

function offerMetrics(app: App, services: Services, env: JobSettings): JobMetrics {
  const metrics = createMetrics(services.database);
  services.metrics.also(() => metrics.render());
  if (env.METRICS_TOKEN) registerMetrics(app, metrics, env.METRICS_TOKEN);
  return metrics;
}

/** It begins when the application listens, and ends before the application closes. */
function startWorker(
  app: App,
  { config, database }: Services,
  settings: JobSettings,
  metrics: JobMetrics,
): JobWorker {
  const ml = z.object(mlSettings).parse(config.modules.ml);
  const ofJobs = {
    ...ml,
    ML_ATTEMPT_TIMEOUT_MS: settings.ML_JOBS_TIMEOUT_MS,
    ML_TOTAL_TIMEOUT_MS: settings.ML_JOBS_TIMEOUT_MS,
    ML_MAX_CONCURRENCY: settings.ML_JOBS_CONCURRENCY,
  };
  const client = createMlClient(
    ofJobs,
    (state) => app.log.warn({ state }, 'ml circuit of the jobs'),
    createTransport(ofJobs),
    // Attempts are the queue's: it counts them, and waits between them.
    0,
  );
  const worker = new JobWorker({ database, client, settings, metrics, log: app.log });
  app.addHook('onListen', async () => worker.start());
  app.addHook('preClose', () => worker.stop(config.SHUTDOWN_TIMEOUT_MS / 2));
  return worker;
}
