import { z } from 'zod';
import { defineModule } from '../../module.ts';
import { Hub } from './hub.ts';
import { liveJobs } from './jobs.ts';
import { Presence } from './presence.ts';
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
    LIVE_PRESENCE: z
      .enum(['true', 'false'])
      .default('false')
      .transform((text) => text === 'true'),
  },
  async register(app, services, env) {
    const shared = { database: services.database, log: app.log, beatMs: env.LIVE_BEAT_MS };
    const presence = env.LIVE_PRESENCE ? new Presence(shared) : undefined;
    const hub = new Hub({
      ...shared,
      presence,
      listenUrl: env.LIVE_DATABASE_URL,
      streamsPerUser: env.LIVE_STREAMS_PER_USER,
      bufferBytes: env.LIVE_BUFFER_BYTES,
    });
    app.addHook('preClose', () => hub.stop());
    services.metrics.gauge({
      name: 'live_streams_open',
      help: 'Streams of live events that are open, of browsers and programs.',
      read: () => hub.size,
    });
    await registerUpgrades(app);
    registerRoutes(app, services, hub, presence);
  },
  jobs: ({ database }, env) => liveJobs(database, env.LIVE_RETENTION_HOURS),
});
