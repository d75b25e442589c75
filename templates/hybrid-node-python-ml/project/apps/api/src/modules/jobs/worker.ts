import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Database } from '../../db/database.ts';
import type { MlClient } from '../ml/client.ts';
import { judge, problem } from './judge.ts';
import type { JobMetrics } from './metrics.ts';
import {
  claim,
  cleanUp,
  extend,
  failAbandoned,
  type Leased,
  type Outcome,
  settle,
} from './queue.ts';
import type { JobSettings } from './settings.ts';

const CLEAN_UP_EVERY_MS = 600_000;
const SAVE_AGAIN_MS = 1_000;
const ABANDONED = problem(500, 'job_abandoned', 'Its workers have vanished while they ran it');

export interface WorkerOptions {
  readonly database: Database;
  readonly client: MlClient;
  readonly settings: JobSettings;
  readonly metrics: JobMetrics;
  readonly log: FastifyBaseLogger;
}

interface Run {
  readonly jobId: string;
  readonly controller: AbortController;
  readonly done: Promise<void>;
}

/** Runs due jobs, so many at a time, until it is stopped. Any number of workers may share a database. */
export class JobWorker {
  readonly #options: WorkerOptions;
  readonly #runs = new Map<string, Run>();
  #loop: Promise<void> | undefined;
  #stopping = false;
  #pausedUntil = 0;
  #cleanUpAt = 0;
  #wake = new AbortController();

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#work();
  }

  /** Something may have changed: looks for due jobs at once. */
  wake(): void {
    this.#wake.abort();
    this.#wake = new AbortController();
  }

  /** Ends the call for a job of this process at once; elsewhere the next heartbeat does. */
  cancelled(id: string): void {
    for (const run of this.#runs.values()) if (run.jobId === id) run.controller.abort();
  }

  /** Takes no more jobs; those still running after the grace are given back for others to take. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.wake();
    await this.#loop;
    const done = Promise.all([...this.#runs.values()].map((run) => run.done));
    await Promise.race([done, sleep(graceMs, undefined, { ref: false })]);
    for (const run of this.#runs.values()) run.controller.abort();
    await done;
  }

  async #work(): Promise<void> {
    while (!this.#stopping) {
      const woken = this.#wake.signal;
      try {
        await this.#keepHouse();
        if (await this.#takeOne()) continue;
      } catch (error) {
        this.#options.log.error({ err: error }, 'the job queue cannot be read');
      }
      await sleep(this.#options.settings.ML_JOBS_POLL_MS, undefined, { signal: woken }).catch(
        () => undefined,
      );
    }
  }

  async #keepHouse(): Promise<void> {
    if (Date.now() < this.#cleanUpAt) return;
    const { database, settings, log } = this.#options;
    this.#cleanUpAt = Date.now() + CLEAN_UP_EVERY_MS;
    try {
      await cleanUp(database, settings.ML_JOBS_RETENTION_HOURS);
    } catch (error) {
      // The next one will do; jobs that are due must not wait for it.
      log.error({ err: error }, 'ended jobs could not be deleted');
    }
  }

  async #takeOne(): Promise<boolean> {
    const { database, settings, metrics } = this.#options;
    if (this.#runs.size >= settings.ML_JOBS_CONCURRENCY || Date.now() < this.#pausedUntil) {
      return false;
    }
    const given = await failAbandoned(database, settings.ML_JOBS_MAX_ATTEMPTS, ABANDONED);
    if (given > 0) metrics.attempts.inc({ outcome: 'failed' }, given);
    const lease = await claim(database, settings.ML_JOBS_LEASE_MS);
    if (!lease) return false;
    // Of this worker too, if it was too busy to extend its lease.
    this.cancelled(lease.id);
    const controller = new AbortController();
    const done = this.#run(lease, controller).finally(() => {
      this.#runs.delete(lease.leaseToken);
      metrics.running.set(this.#runs.size);
      this.wake();
    });
    this.#runs.set(lease.leaseToken, { jobId: lease.id, controller, done });
    metrics.running.set(this.#runs.size);
    return true;
  }

  async #run(lease: Leased, controller: AbortController): Promise<void> {
    const { metrics, settings } = this.#options;
    const log = this.#options.log.child({ jobId: lease.id, attempt: lease.attempts });
    const heartbeat = setInterval(
      () => void this.#beat(lease, controller, log),
      settings.ML_JOBS_LEASE_MS / 3,
    );
    log.info('job started');
    const stopTimer = metrics.seconds.startTimer();
    const outcome = await this.#attempt(lease, controller.signal, log);
    stopTimer();
    const isSettled = await this.#save(lease, outcome, log);
    clearInterval(heartbeat);
    const kind = isSettled ? outcome.kind : 'dropped';
    metrics.attempts.inc({ outcome: kind });
    log.info({ outcome: kind }, 'job attempt ended');
  }

  async #beat(lease: Leased, controller: AbortController, log: FastifyBaseLogger): Promise<void> {
    try {
      const { database, settings } = this.#options;
      if (!(await extend(database, lease, settings.ML_JOBS_LEASE_MS))) controller.abort();
    } catch (error) {
      log.warn({ err: error }, 'the lease could not be extended');
    }
  }

  async #attempt(lease: Leased, signal: AbortSignal, log: FastifyBaseLogger): Promise<Outcome> {
    const { client, settings } = this.#options;
    const { requestId, traceparent } = lease;
    try {
      const result = await client.predict(lease.input, { requestId, traceparent, signal });
      return { kind: 'succeeded', result };
    } catch (error) {
      // Cancelled or taken over, which saving finds out; or this worker stops, and gives it back.
      if (signal.aborted) return { kind: 'postponed', delayMs: 0 };
      log.warn({ err: error }, 'the attempt has failed');
      const outcome = judge(error, lease.attempts, settings);
      // Back-pressure holds for the other jobs as well.
      if (outcome.kind === 'postponed') this.#pausedUntil = Date.now() + outcome.delayMs;
      return outcome;
    }
  }

  /** Whatever happens to the database, a result is kept as long as the lease may still be ours. */
  async #save(lease: Leased, outcome: Outcome, log: FastifyBaseLogger): Promise<boolean> {
    for (;;) {
      try {
        return await settle(this.#options.database, lease, outcome);
      } catch (error) {
        log.error({ err: error }, 'the outcome could not be saved');
        if (this.#stopping) return false;
        await sleep(SAVE_AGAIN_MS);
      }
    }
  }
}
