import { AsyncLocalStorage } from 'node:async_hooks';
import type { Database, Db } from '../db/database.ts';

/** The transaction that is under way, as long as it is. */
const current = new AsyncLocalStorage<{ tx?: Db }>();

/**
 * better-auth writes one row after the other: cut off in the middle, an organization would stay that
 * nobody owns, and its name taken. What `work` does on the database of `joining` is there whole in
 * the end, or not at all where it fails or its answer is a refusal.
 */
export async function atomically({ db }: Database, work: () => Promise<Response>) {
  const refusal = new Error('refused');
  const place: { tx?: Db } = {};
  let answer: Response | undefined;
  try {
    return await db.transaction(async (tx) => {
      place.tx = tx;
      answer = await current.run(place, work);
      if (answer.status >= 400) throw refusal;
      return answer;
    });
  } catch (error) {
    if (error === refusal && answer) return answer;
    throw error;
  } finally {
    delete place.tx;
  }
}

/** The same database; within `atomically`, what is asked of its `db` is part of the transaction. */
export function joining(database: Database): Database {
  const db = new Proxy(database.db, {
    get(target, name) {
      const db = current.getStore()?.tx ?? target;
      const member: unknown = Reflect.get(db, name);
      return typeof member === 'function' ? member.bind(db) : member;
    },
  });
  return { ...database, db };
}
