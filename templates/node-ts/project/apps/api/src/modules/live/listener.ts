import { setTimeout as sleep } from 'node:timers/promises';
import type { PGlite } from '@electric-sql/pglite';
import type { FastifyBaseLogger } from 'fastify';
import type { Client, PoolConfig } from 'pg';
import type { Driver } from '../../db/database.ts';

/** PGlite writes it as it is, so it is one that needs no quotes. */
const CHANNEL = 'live_events';
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

export interface ListenerOptions {
  readonly driver: Driver;
  /** PostgreSQL itself, where the pool's address is that of a PgBouncer. */
  readonly url: string | undefined;
  readonly log: FastifyBaseLogger;
  /** There is an event of that number. */
  heard(organizationId: string, sequence: number): void;
  /** From now on everything is heard; what has been before, may not have been. */
  listening(): void;
}

/** Hears of events over a connection of its own, which comes back by itself when it was lost. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #stopping = new AbortController();
  #client: Client | undefined;
  #pause = FIRST_PAUSE_MS;
  #unlisten: (() => Promise<void>) | undefined;
  #begun: Promise<void> | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Nobody waits for it: the first stream starts it, and hears at once what is told from then on. */
  start(): void {
    const { driver } = this.#options;
    this.#begun ??=
      'embedded' in driver ? this.#embed(driver.embedded) : this.#keep(driver.postgres);
  }

  /** A connection that nobody answers any more looks like one on which nothing happens. */
  async check(): Promise<void> {
    const client = this.#client;
    // Its time is limited, as that of all queries.
    await client?.query('select 1').catch(() => client.end());
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#begun;
    await this.#unlisten?.();
  }

  async #embed(embedded: PGlite): Promise<void> {
    this.#unlisten = await embedded.listen(CHANNEL, (payload) => this.#hear(payload));
    this.#options.listening();
  }

  async #keep(config: PoolConfig): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#connect(config);
      // Not all processes at once.
      const pause = this.#pause * (0.5 + Math.random());
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
    }
  }

  /** Returns when the connection is lost, or was not to be had. */
  async #connect(config: PoolConfig): Promise<void> {
    const { url = config.connectionString, log, listening } = this.#options;
    const { signal } = this.#stopping;
    // Imported here, so that a process with the embedded database never loads it.
    const { default: pg } = await import('pg');
    const client = new pg.Client({ ...config, connectionString: url, application_name: CHANNEL });
    const lost = new Promise<void>((resolve) => {
      client.on('end', resolve).on('error', () => resolve());
      signal.addEventListener('abort', () => resolve());
    });
    client.on('notification', ({ payload }) => this.#hear(payload ?? ''));
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
      this.#client = client;
      this.#pause = FIRST_PAUSE_MS;
      listening();
      await lost;
      if (!signal.aborted) log.warn('the connection that hears of live events was lost');
    } catch (error) {
      log.warn({ err: error }, 'live events cannot be heard of yet');
    } finally {
      this.#client = undefined;
      // It may say goodbye to a server that does not answer: nobody waits for that.
      client.end().catch(() => undefined);
    }
  }

  /** The number and, behind a space, the organization's id. */
  #hear(payload: string): void {
    const [, sequence, organizationId] = /^(\d+) (.+)$/s.exec(payload) ?? [];
    if (organizationId !== undefined) this.#options.heard(organizationId, Number(sequence));
  }
}
