import underPressure from '@fastify/under-pressure';
import type { Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { App } from './app.ts';
import { ProblemError } from './problems.ts';

/** How often the delay of the event loop is looked at. */
const SAMPLE_MS = 500;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** False for what must be answered whatever the load, such as probes. */
    shed?: boolean;
  }
}

/**
 * Turns requests away while more of them wait than can be answered soon: for this process
 * (the event loop is late) or for the database (callers queue for a connection).
 */
export async function registerOverload(
  app: App,
  config: Config,
  database: Pick<Database, 'waiting'>,
  metrics: Metrics,
): Promise<void> {
  const { OVERLOAD_EVENT_LOOP_DELAY_MS: maxDelay, OVERLOAD_DATABASE_WAITING: maxWaiting } = config;
  // With no limits of its own the plugin only measures.
  await app.register(underPressure, { sampleInterval: SAMPLE_MS });

  const shed = metrics.counter({
    name: 'http_requests_shed_total',
    help: 'Requests that were turned away, because the event loop was late or too many waited for the database.',
    labels: { reason: ['event_loop', 'database'] },
  });

  let measuredFrom = Number.POSITIVE_INFINITY;
  app.addHook('onReady', async () => {
    // The first samples are of the start, which keeps the event loop busy.
    measuredFrom = performance.now() + 2 * SAMPLE_MS;
  });

  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.shed === false) return;
    const late =
      maxDelay > 0 &&
      performance.now() > measuredFrom &&
      app.memoryUsage().eventLoopDelay > maxDelay;
    const queued = maxWaiting > 0 && database.waiting() >= maxWaiting;
    if (late || queued) {
      shed({ reason: late ? 'event_loop' : 'database' });
      throw new ProblemError(503, 'overloaded', 'Too many requests at once: try again');
    }
  });
}
