import { mkdirSync } from 'node:fs';
import { PGlite, type PGliteOptions } from '@electric-sql/pglite';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import type { Database } from './database.ts';
import { lockDirectory } from './directory-lock.ts';
import { extensions } from './extensions.ts';

/** PGlite in a directory that this process alone may use. */
export async function openEmbedded(directory: string): Promise<Database> {
  mkdirSync(directory, { recursive: true });
  const unlock = lockDirectory(directory);
  try {
    const client = await createPGlite({ dataDir: directory });
    return embedded(client, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

/** A PGlite with what the migrations need; without a directory, it lives in memory. */
export function createPGlite(options: PGliteOptions = {}): Promise<PGlite> {
  return PGlite.create({ ...options, extensions });
}

/** Wraps a PGlite that somebody else has opened, such as a test's copy in memory. */
export function embedded(client: PGlite, afterClose: () => void = () => undefined): Database {
  const db = drizzle(refuseAborted(client));
  let lastMigration = Promise.resolve();
  return {
    db,
    driver: { embedded: client },
    withSettings: (settings, work) =>
      db.transaction(async (tx) => {
        const each = Object.entries(settings).map(
          ([name, value]) => sql`set_config(${name}, ${value}, true)`,
        );
        await tx.execute(sql`select ${sql.join(each, sql`, `)}`);
        return work(tx);
      }),
    waiting: () => 0,
    inUse: () => 0,
    mostConnections: 1,
    // No other process can be here, so it is enough that calls wait for each other.
    withMigrationLock(work) {
      const current = lastMigration.then(() =>
        work({ db, apply: (config) => migrate(db, config) }),
      );
      lastMigration = current.catch(() => undefined);
      return current;
    },
    async close() {
      await client.close();
      afterClose();
    },
  };
}

/** COMMIT after a statement that failed is a ROLLBACK, which PGlite 0.5.14 does not tell of: ask before it. */
function refuseAborted(client: PGlite): PGlite {
  const begin = client.transaction.bind(client);
  client.transaction = (work) =>
    begin(async (transaction) => {
      const result = await work(transaction);
      if (!transaction.closed) await transaction.exec('select');
      return result;
    });
  return client;
}
