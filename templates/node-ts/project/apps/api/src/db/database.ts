import type { PGlite } from '@electric-sql/pglite';
import type { MigrationConfig } from 'drizzle-orm/migrator';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import type { PoolConfig } from 'pg';

interface Result<Row> {
  readonly rows: Row[];
}

/** What both drivers return for plain SQL, as drizzle wants to be told of it. */
interface ResultKind extends PgQueryResultHKT {
  type: Result<this['row']>;
}

/** The query builder, on PostgreSQL and on the embedded database alike. */
export type Db = PgDatabase<ResultKind>;

/** Inside `db.transaction(...)`. */
export type Transaction = Parameters<Parameters<Db['transaction']>[0]>[0];

/** Times are in milliseconds; 0 means no limit. */
export interface DatabaseSettings {
  readonly DATABASE_URL?: string | undefined;
  readonly MIGRATION_DATABASE_URL?: string | undefined;
  readonly DATA_DIR?: string | undefined;
  readonly DATABASE_POOL_MAX: number;
  readonly DATABASE_CONNECT_TIMEOUT_MS: number;
  readonly DATABASE_STATEMENT_TIMEOUT_MS: number;
  readonly DATABASE_LOCK_TIMEOUT_MS: number;
  readonly DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS: number;
  readonly DATABASE_ANSWER_TIMEOUT_MS: number;
}

/** Names and values: `{ role: 'reader' }`. */
export type Settings = Readonly<Record<string, string>>;

/** The connection that migrations run on; no time limit cuts them off. */
export interface Migrator {
  readonly db: Db;
  /** Whom DATABASE_URL names, where that is not whom migrations run as. */
  readonly runtimeRole?: string;
  /** Applies the migrations of one folder, in one transaction. */
  apply(config: MigrationConfig): Promise<void>;
}

/** For libraries that bring SQL of their own: the embedded database, or how to connect to PostgreSQL. */
export type Driver = { readonly embedded: PGlite } | { readonly postgres: PoolConfig };

export interface Database {
  readonly db: Db;
  readonly driver: Driver;
  /** Runs `work` in a transaction under settings of PostgreSQL's (`set_config`) that end with it. */
  withSettings<Result>(
    settings: Settings,
    work: (tx: Transaction) => Promise<Result>,
  ): Promise<Result>;
  /** How many callers wait for a connection. */
  waiting(): number;
  /** How many connections are in use, of how many that there may be. */
  inUse(): number;
  readonly mostConnections: number;
  /** Runs `work` while no other process migrates the same database. */
  withMigrationLock(work: (migrator: Migrator) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}
