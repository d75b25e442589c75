import type { FastifyBaseLogger } from 'fastify';
import type { Database } from '../../src/db/database.ts';
import { noMetrics } from '../../src/metrics/metrics.ts';
import type { JobHandler } from '../../src/queue/job.ts';
import { JobWorker } from '../../src/queue/worker.ts';

export interface LogLine extends Record<string, unknown> {
  readonly level: string;
  readonly msg: string;
}

/** A log whose lines are kept. */
export function keepLog(): { lines: LogLine[]; log: FastifyBaseLogger } {
  const lines: LogLine[] = [];
  const logger = (bound: object): object => ({
    ...Object.fromEntries(
      ['debug', 'info', 'warn', 'error'].map((level) => [
        level,
        (fields: object, msg?: string) =>
          lines.push(
            typeof fields === 'string'
              ? { level, msg: fields, ...bound }
              : { level, msg: msg ?? '', ...bound, ...fields },
          ),
      ]),
    ),
    child: (more: object) => logger({ ...bound, ...more }),
  });
  return { lines, log: logger({}) as FastifyBaseLogger };
}

/** A worker that is not part of an application. */
export function createWorker(database: Database, ...handlers: JobHandler[]) {
  const { lines, log } = keepLog();
  const worker = new JobWorker({
    database,
    handlers,
    concurrency: 2,
    listen: true,
    log,
    metrics: noMetrics,
  });
  return { worker, lines };
}
