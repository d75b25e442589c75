import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Job as BossJob, JobResult, PgBoss, WorkOptions } from 'pg-boss';
import type { Database } from '../db/database.ts';
import { pendingMigrations } from '../db/migrations.ts';
import { describeError } from '../http/error-lines.ts';
import type { Labels, Metrics } from '../metrics/metrics.ts';
import { traces } from '../traces/traces.ts';
import { createBoss } from './boss.ts';
import { HopelessJobError, type JobHandler } from './job.ts';

const LOOK_AGAIN_MS = 1_000;
/** pg-boss gives jobs no less. */
const LEAST_GRACE_MS = 1_000;
/** How long beyond the grace the database may take to be told of what is left. */
const LAST_WORDS_MS = 1_000;
/** For what PostgreSQL does not tell: that a job's time has come, or its retry. */
const POLL_SECONDS = 5;
/** Jobs take longer than requests. */
const SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300];

export interface WorkerOptions {
  readonly database: Database;
  readonly handlers: readonly JobHandler[];
  /** How many jobs of each kind to run at once. */
  readonly concurrency: number;
  readonly listen: boolean;
  readonly log: FastifyBaseLogger;
  readonly metrics: Metrics;
}

/** What `enqueue_job` and schedules write. */
interface Envelope {
  readonly organizationId: string | null;
  readonly payload: unknown;
  readonly trace?: string;
}

type Options = WorkOptions & { perJobResults: true };

/** Runs jobs until it is stopped. Any number of processes may share a database. */
export class JobWorker {
  readonly #options: WorkerOptions;
  readonly #stopping = new AbortController();
  readonly #count: (labels: Labels<'kind' | 'outcome'>) => void;
  readonly #measure: (labels: Labels<'kind'>, seconds: number) => void;
  #begun: Promise<void> | undefined;
  #boss: PgBoss | undefined;

  constructor(options: WorkerOptions) {
    assertNamesDiffer(options.handlers);
    this.#options = options;
    const kind = options.handlers.map(({ job }) => job.name);
    this.#count = options.metrics.counter({
      name: 'jobs_total',
      help: 'Jobs that were worked, by kind and outcome: failed are tried again, given_up are dead letters.',
      labels: { kind, outcome: ['done', 'failed', 'given_up'] },
    });
    this.#measure = options.metrics.timer({
      name: 'job_duration_seconds',
      help: 'How long jobs took, by kind.',
      labels: ['kind'],
      buckets: SECONDS,
    });
  }

  /** Returns when jobs are taken: once the database is there, and no migration is pending. */
  start(): Promise<void> {
    this.#begun ??= this.#begin();
    return this.#begun;
  }

  /** Takes no more jobs; those still running after the grace are tried again later. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    const patience = Math.max(graceMs, LEAST_GRACE_MS) + LAST_WORDS_MS;
    const stopped = this.#begun?.then(() => this.#boss?.stop({ timeout: graceMs }));
    // pg-boss asks a database that does not answer one thing after the other. Who takes up its jobs
    // can do without: they are taken for lost once their worker is not heard of any more.
    await Promise.race([stopped, sleep(patience, undefined, { ref: false })]);
  }

  async #begin(): Promise<void> {
    const { database, handlers, log } = this.#options;
    if (handlers.length === 0) return;
    let told = '';
    while (!this.#stopping.signal.aborted) {
      try {
        const pending = await pendingMigrations(database.db);
        if (pending.length === 0) return await this.#open();
        if (told !== String(pending)) log.info({ pending }, 'jobs wait for migrations');
        told = String(pending);
      } catch (error) {
        if (told !== 'failed') log.warn({ err: error }, 'jobs cannot be run yet');
        told = 'failed';
      }
      const { signal } = this.#stopping;
      await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #open(): Promise<void> {
    const { database, listen, log } = this.#options;
    const boss = await createBoss(database.driver, { name: 'worker', listen, works: true });
    boss.on('error', (error) => log.error({ err: error }, 'the queue has a problem'));
    boss.on('warning', ({ message, data }) => log.warn({ data }, message));
    try {
      await boss.start();
      await this.#takeJobs(boss);
    } catch (error) {
      await boss.stop({ graceful: false });
      throw error;
    }
    this.#boss = boss;
    log.info('jobs are run here');
  }

  async #takeJobs(boss: PgBoss): Promise<void> {
    const { handlers, concurrency } = this.#options;
    for (const { job } of handlers) {
      await boss.createQueue(job.name, job.settings);
      // It may have been made by an earlier release.
      await boss.updateQueue(job.name, job.settings);
    }
    await this.#writeSchedules(boss);
    for (const handler of handlers) {
      for (let count = 0; count < concurrency; count += 1) await this.#takeJobsOf(boss, handler);
    }
  }

  /** One after the other: pg-boss would wait for the next one until it is told of it, or for the poll. */
  async #takeJobsOf(boss: PgBoss, handler: JobHandler): Promise<void> {
    const { name, onePerGroup } = handler.job;
    let taker = '';
    taker = await boss.work<Envelope, JobResult, Options>(
      name,
      {
        perJobResults: true,
        ...(onePerGroup && { localGroupConcurrency: 1 }),
        notifyPollingIntervalSeconds: POLL_SECONDS,
      },
      (jobs) => {
        boss.notifyWorker(taker);
        return Promise.all(jobs.map((job) => this.#trace(handler, job)));
      },
    );
  }

  /** What is scheduled is what the code says, and nothing that an earlier release has said. */
  async #writeSchedules(boss: PgBoss): Promise<void> {
    const scheduled = this.#options.handlers.filter(({ job }) => job.schedule !== undefined);
    for (const { name } of await boss.getSchedules()) {
      if (!scheduled.some(({ job }) => job.name === name)) await boss.unschedule(name);
    }
    const envelope: Envelope = { organizationId: null, payload: {} };
    for (const { job } of scheduled) await boss.schedule(job.name, job.schedule ?? '', envelope);
  }

  async #trace(handler: JobHandler, job: BossJob<Envelope>): Promise<JobResult> {
    const run = (traceId?: string) => this.#run(handler, job, traceId);
    return traces()?.job(job.name, job.data.trace, run) ?? run();
  }

  async #run(
    handler: JobHandler,
    job: BossJob<Envelope>,
    traceId: string | undefined,
  ): Promise<JobResult> {
    const { id, signal, data } = job;
    const attempt = job.retryCount + 1;
    const log = this.#options.log.child({
      job: job.name,
      jobId: id,
      attempt,
      ...(traceId && { traceId }),
    });
    const { organizationId } = data;
    const kind = job.name;
    const isLast = attempt > handler.job.settings.retryLimit;
    const started = performance.now();
    try {
      await handler.run(data.payload, { id, attempt, isLast, organizationId, signal, log });
      log.info('job done');
      this.#count({ kind, outcome: 'done' });
      return { id, status: 'completed' };
    } catch (error) {
      log.warn({ err: error }, 'job failed');
      const { type, message } = describeError(error);
      const status = error instanceof HopelessJobError ? 'deadletter' : 'failed';
      this.#count({ kind, outcome: isLast || status === 'deadletter' ? 'given_up' : 'failed' });
      return { id, status, output: { type, message } };
    } finally {
      this.#measure({ kind }, (performance.now() - started) / 1_000);
    }
  }
}

/** Of two handlers of one name, each would take jobs that are the other's. */
function assertNamesDiffer(handlers: readonly JobHandler[]): void {
  const names = handlers.map(({ job }) => job.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`There are two handlers for jobs named ${twice}`);
}
