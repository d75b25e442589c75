import { timingSafeEqual } from 'node:crypto';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '../../db/database.ts';
import type { App } from '../../http/app.ts';
import { ProblemError } from '../../http/problems.ts';
import { backlog } from './queue.ts';

export interface JobMetrics {
  /** In the format of Prometheus. */
  render(): Promise<string>;
  readonly attempts: Counter<'outcome'>;
  readonly seconds: Histogram;
  readonly running: Gauge;
}

/** What this process has done, and what all of them have left to do. */
export function createMetrics(database: Database): JobMetrics {
  const registry = new Registry();
  const registers = [registry];
  const waiting = new Gauge({
    name: 'ml_jobs',
    help: 'Jobs in the database that have not ended',
    labelNames: ['status'],
    registers,
  });
  const oldest = new Gauge({
    name: 'ml_jobs_oldest_queued_seconds',
    help: 'The age of the oldest job that is queued',
    registers,
  });
  return {
    async render() {
      const state = await backlog(database);
      waiting.set({ status: 'queued' }, state.queued);
      waiting.set({ status: 'running' }, state.running);
      oldest.set(state.oldestQueuedSeconds);
      return registry.metrics();
    },
    attempts: new Counter({
      name: 'ml_job_attempts_total',
      help: 'Attempts of this process that have ended',
      labelNames: ['outcome'],
      registers,
    }),
    seconds: new Histogram({
      name: 'ml_job_attempt_seconds',
      help: 'How long the attempts of this process took',
      buckets: [0.1, 0.5, 1, 5, 15, 60, 300],
      registers,
    }),
    running: new Gauge({
      name: 'ml_jobs_in_this_process',
      help: 'Jobs that this process is running',
      registers,
    }),
  };
}

/** GET /metrics for Prometheus, for those who hold the token. */
export function registerMetrics(app: App, metrics: JobMetrics, token: string): void {
  const expected = Buffer.from(`Bearer ${token}`);
  app.get(
    '/metrics',
    { config: { rateLimit: false, shed: false }, logLevel: 'warn', schema: { hide: true } },
    async (request, reply) => {
      const given = Buffer.from(request.headers.authorization ?? '');
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
        throw new ProblemError(401, 'unauthenticated', 'Send METRICS_TOKEN as a bearer token');
      }
      return reply.type(Registry.PROMETHEUS_CONTENT_TYPE).send(await metrics.render());
    },
  );
}
