import { setTimeout as sleep } from 'node:timers/promises';
import { NodePgDatabase, NodePgSession, NodePgTransaction } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { PgDialect, type PgTransactionConfig } from 'drizzle-orm/pg-core';
import pg from 'pg';
import type { Database, DatabaseSettings, Settings } from './database.ts';
import { isUnavailable, RolledBackError } from './errors.ts';
import { traceStatements } from './traces.ts';

// Any number does, as long as every process of this application uses the same one.
const MIGRATION_LOCK = 7_215_048_331;
/** How long beyond the server's own limit to wait for an answer before the server counts as frozen. */
const GRACE_MS = 1_000;
/** Migrations wait this long for a table in use; meanwhile all others wait behind them. */
const MIGRATION_LOCK_TIMEOUT_MS = 10_000;

type NoSchema = Record<string, never>;

export function openPostgres(url: string, settings: DatabaseSettings): Database {
  const options = poolOptions(url, settings);
  const pool = new pg.Pool(options);
  // Broken connections are replaced. Without a listener each would end the process: the pool
  // listens to those that are idle only, the second line is for those in use.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('connect', traceStatements);

  let held = 0;
  pool.on('acquire', () => {
    held += 1;
  });
  pool.on('release', () => {
    held -= 1;
  });

  const dialect = new PgDialect();
  const session = new PooledSession(pool, dialect, undefined);
  return {
    db: new NodePgDatabase<NoSchema>(dialect, session, undefined),
    driver: { postgres: options },
    withSettings: (settings, work) => session.begin(beginWith(settings), work),
    waiting: () => pool.waitingCount,
    inUse: () => pool.totalCount - pool.idleCount,
    mostConnections: settings.DATABASE_POOL_MAX,
    withMigrationLock: (work) => withMigrationLock(url, settings, work),
    // What holds a connection is waited for; one that is still tried when nobody needs it is not.
    close: async () => {
      const ended = pool.end();
      await Promise.race([ended, sleep(GRACE_MS, undefined, { ref: false })]);
      if (held > 0) await ended;
    },
  };
}

function poolOptions(url: string, settings: DatabaseSettings): pg.PoolConfig {
  const statement = settings.DATABASE_STATEMENT_TIMEOUT_MS;
  return {
    connectionString: url,
    max: settings.DATABASE_POOL_MAX,
    connectionTimeoutMillis: settings.DATABASE_CONNECT_TIMEOUT_MS,
    statement_timeout: statement,
    lock_timeout: settings.DATABASE_LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: settings.DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS,
    // A server that is frozen or cut off cannot keep its own limits.
    query_timeout: Math.max(settings.DATABASE_ANSWER_TIMEOUT_MS, statement && statement + GRACE_MS),
    keepAlive: true,
  };
}

/**
 * drizzle's own transaction begins before its `try` (0.45), so that a connection which breaks there
 * never comes back to the pool; and it gives back connections whose transaction is still open.
 */
class PooledSession extends NodePgSession<NoSchema, NoSchema> {
  readonly #pool: pg.Pool;
  readonly #dialect: PgDialect;

  constructor(pool: pg.Pool, dialect: PgDialect, schema: undefined) {
    super(pool, dialect, schema);
    this.#pool = pool;
    this.#dialect = dialect;
  }

  override transaction<Result>(
    work: (tx: NodePgTransaction<NoSchema, NoSchema>) => Promise<Result>,
    config?: PgTransactionConfig,
  ): Promise<Result> {
    return this.begin('begin', async (tx) => {
      if (config) await tx.setTransaction(config);
      return work(tx);
    });
  }

  /** `start` begins the transaction, and may do more in the same round trip. */
  async begin<Result>(
    start: string,
    work: (tx: NodePgTransaction<NoSchema, NoSchema>) => Promise<Result>,
  ): Promise<Result> {
    const client = await this.#pool.connect();
    const session = new NodePgSession<NoSchema, NoSchema>(client, this.#dialect, undefined);
    const tx = new NodePgTransaction<NoSchema, NoSchema>(this.#dialect, session, undefined);
    let lost = false;
    try {
      await client.query(start);
      const result = await work(tx);
      assertCommitted(await client.query('commit'));
      return result;
    } catch (error) {
      // Nothing more can be said to a server that does not answer, and what was said may still happen.
      lost = isUnavailable(error);
      if (!lost) await client.query('rollback').catch(() => undefined);
      throw error;
    } finally {
      // Idle, it can be used again; in any other state it is closed.
      client.release(lost || client.getTransactionStatus() !== 'I');
    }
  }
}

/** PostgreSQL says ROLLBACK to a commit after an error that was caught on the way. */
function assertCommitted({ command }: pg.QueryResult): void {
  if (command !== 'COMMIT') throw new RolledBackError();
}

/** Several statements go out as one only without parameters, so the values stand in the text. */
function beginWith(settings: Settings): string {
  const each = Object.entries(settings).map(
    ([name, value]) => `set_config(${pg.escapeLiteral(name)}, ${pg.escapeLiteral(value)}, true)`,
  );
  return `begin; select ${each.join(', ')}`;
}

/** A connection of its own: building an index may take longer than any request may wait. */
async function withMigrationLock(
  url: string,
  settings: DatabaseSettings,
  work: Parameters<Database['withMigrationLock']>[0],
): Promise<void> {
  const client = new pg.Client({
    connectionString: settings.MIGRATION_DATABASE_URL ?? url,
    connectionTimeoutMillis: settings.DATABASE_CONNECT_TIMEOUT_MS,
    keepAlive: true,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    // The role may have a limit, and others may migrate for longer than that.
    await client.query('set statement_timeout = 0');
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await client.query(`set lock_timeout = ${MIGRATION_LOCK_TIMEOUT_MS}`);
    const dialect = new PgDialect();
    const session = new NodePgSession<NoSchema, NoSchema>(client, dialect, undefined);
    const db = new NodePgDatabase<NoSchema>(dialect, session, undefined);
    await work({
      db,
      ...(settings.MIGRATION_DATABASE_URL && { runtimeRole: userOf(url) }),
      apply: (config) => migrate(db, config),
    });
  } finally {
    // The lock ends with the connection.
    await client.end();
  }
}

function userOf(url: string): string {
  return decodeURIComponent(new URL(url).username);
}
