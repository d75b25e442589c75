import type { Client } from 'pg';
import type { PgBoss } from 'pg-boss';
import type { Driver } from '../db/database.ts';

/** The schema that our migrations have made (drizzle/), so that pg-boss changes no table itself. */
const SCHEMA = 'queue';
/** For what it does beside requests, which have connections of their own. */
const CONNECTIONS = 3;

export interface BossOptions {
  readonly name: string;
  /** Whether PostgreSQL tells of new jobs; else they are looked for every other second. */
  readonly listen: boolean;
  /** Whether to run what is scheduled, and to look after jobs that nobody works on any more. */
  readonly works: boolean;
}

/** How soon to see that a worker is gone, or a schedule due. */
const MONITOR_SECONDS = 10;
const SCHEDULE_SECONDS = 5;

/** Imported here, so that a process that runs no jobs never loads it. */
export async function createBoss(driver: Driver, options: BossOptions): Promise<PgBoss> {
  const { PgBoss, fromPglite } = await import('pg-boss');
  if ('postgres' in driver) await keepErrorsHeard();
  const database =
    'embedded' in driver
      ? ({ backend: 'pglite', db: fromPglite(driver.embedded) } as const)
      : {
          ...(driver.postgres as { connectionString: string }),
          max: CONNECTIONS,
          application_name: options.name,
        };
  return new PgBoss({
    ...database,
    schema: SCHEMA,
    migrate: false,
    createSchema: false,
    // Needs the tables' owner, and finds little to do in a table of this size.
    reindex: false,
    useListenNotify: options.listen,
    instanceName: options.name,
    supervise: options.works,
    schedule: options.works,
    superviseIntervalSeconds: MONITOR_SECONDS,
    monitorIntervalSeconds: MONITOR_SECONDS,
    cronMonitorIntervalSeconds: SCHEDULE_SECONDS,
    cronWorkerIntervalSeconds: 1,
  });
}

let heard = false;

/**
 * pg-boss (12) takes all listeners off the connection that it listens on, and only then closes it.
 * An error that comes in between, as from a server that shuts down, has nobody who hears it and
 * would end the process. So a connection without any other listener keeps one that does nothing.
 */
async function keepErrorsHeard(): Promise<void> {
  if (heard) return;
  heard = true;
  const { default: pg } = await import('pg');
  const removeAll = pg.Client.prototype.removeAllListeners;
  pg.Client.prototype.removeAllListeners = function keepOne(this: Client, ...events) {
    removeAll.apply(this, events);
    return this.on('error', () => undefined);
  };
}
