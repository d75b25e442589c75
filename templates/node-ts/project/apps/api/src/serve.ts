import { setTimeout as sleep } from 'node:timers/promises';
import { type AppOptions, buildApp } from './app.ts';
import type { Config } from './config.ts';
import type { Database } from './db/database.ts';
import { migrate } from './db/migrations.ts';
import { openDatabase } from './db/open.ts';
import type { App } from './http/app.ts';
import { listenForScrapes } from './metrics/listen.ts';
import type { Prometheus } from './metrics/prometheus.ts';
import type { AppModule } from './module.ts';
import { startTraces } from './traces/start.ts';

/** How long the last connections get to close after the deadline, before the process just ends. */
const FORCE_AFTER_MS = 2_000;

/** Opens the database, listens, and goes away in good order when asked to. */
export async function serve(
  config: Config,
  modules: readonly AppModule[],
  options: Pick<AppOptions, 'authRoutes' | 'jobsOf'> = {},
): Promise<App> {
  const stopTraces = await startTraces(config);
  const database = await openDatabase(config);
  try {
    const metrics = await openMetrics(config);
    const app = await buildApp({
      config,
      database,
      modules,
      ...(metrics && { metrics }),
      ...options,
    });
    if (metrics) await offer(metrics, app, config);
    if (config.MIGRATE_ON_START) await migrateAndLog(app, database);
    await app.listen({ host: config.HOST, port: config.PORT });
    stopOnSignals(app, config, async () => {
      await database.close();
      await stopTraces();
    });
    return app;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Imported here, so that a server whose metrics nobody asks for does not load what counts them. */
async function openMetrics({ METRICS_PORT }: Config): Promise<Prometheus | undefined> {
  if (METRICS_PORT === undefined) return undefined;
  const { Prometheus } = await import('./metrics/prometheus.ts');
  return new Prometheus();
}

async function offer(metrics: Prometheus, app: App, config: Config): Promise<void> {
  const { HOST: host, METRICS_PORT: port = 0 } = config;
  const { url, close } = await listenForScrapes(metrics, { host, port });
  app.addHook('onClose', async () => close());
  app.log.info({ url }, 'metrics are offered');
}

async function migrateAndLog(app: App, database: Database): Promise<void> {
  const applied = await migrate(database);
  if (applied.length > 0) app.log.info({ applied }, 'database migrated');
}

/** Repeated signals change nothing: process groups and impatient people send several. */
function stopOnSignals(app: App, config: Config, last: () => Promise<void>): void {
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      app.log.info({ signal }, 'stopping');
      void stop(app, config, last);
    });
  }
}

/** Unready first, so that no new requests come; then those in flight finish, up to a deadline. */
async function stop(app: App, config: Config, last: () => Promise<void>): Promise<void> {
  app.draining = true;
  await sleep(config.SHUTDOWN_DELAY_MS);

  const deadline = setTimeout(() => {
    app.log.warn('the deadline has passed: closing the connections that are left');
    app.server.closeAllConnections();
    setTimeout(() => process.exit(1), FORCE_AFTER_MS);
  }, config.SHUTDOWN_TIMEOUT_MS);

  const code = await close(app, last);
  clearTimeout(deadline);
  // Work that was cut off may still hold timers, which would keep the process alive.
  process.exit(code);
}

/** The database comes last: what is stuck in it must hold nothing else up. */
async function close(app: App, last: () => Promise<void>): Promise<number> {
  try {
    await app.close();
    await last();
    app.log.info('stopped');
    return 0;
  } catch (error) {
    app.log.error({ err: error }, 'could not stop cleanly');
    return 1;
  }
}
