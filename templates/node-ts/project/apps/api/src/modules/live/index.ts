import { z } from 'zod';
import { defineModule } from '../../module.ts';
import { Hub } from './hub.ts';
import { liveJobs } from './jobs.ts';
import { registerRoutes } from './routes.ts';
import { registerUpgrades } from './upgrades.ts';

const count = (fallback: number, min = 1) => z.coerce.number().int().min(min).default(fallback);

/** Tells browsers and programs what happens in an organization, in the moment in which it does. */
export const live = defineModule({
  name: 'live',
  env: {
    LIVE_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
    LIVE_BEAT_MS: count(15_000, 10),
    LIVE_STREAMS_PER_USER: count(20),
    LIVE_BUFFER_BYTES: count(262_144),
    LIVE_RETENTION_HOURS: count(24),
  },
  async register(app, services, env) {
    const hub = new Hub({
      database: services.database,
      log: app.log,
      listenUrl: env.LIVE_DATABASE_URL,
      beatMs: env.LIVE_BEAT_MS,
      streamsPerUser: env.LIVE_STREAMS_PER_USER,
      bufferBytes: env.LIVE_BUFFER_BYTES,
    });
    app.addHook('preClose', () => hub.stop());
    await registerUpgrades(app);
    registerRoutes(app, services, hub);
  },
  jobs: ({ database }, env) => liveJobs(database, env.LIVE_RETENTION_HOURS),
});
