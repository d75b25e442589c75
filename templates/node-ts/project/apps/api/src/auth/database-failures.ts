import { AsyncLocalStorage } from 'node:async_hooks';
import type { drizzleAdapter } from 'better-auth/adapters/drizzle';
import { isCheckViolation, isFailure, isUniqueViolation } from '../db/errors.ts';
import { identifyCurrent } from '../http/logging.ts';

type CreateAdapter = ReturnType<typeof drizzleAdapter>;

const current = new AsyncLocalStorage<unknown[]>();

/**
 * better-auth catches what its database fails with, and goes on as if nobody were signed in (401), as if
 * an account could not be made (422), or as if a session had been ended (200). So failures are noted
 * where they arise: here.
 */
export function noteFailures(create: CreateAdapter): CreateAdapter {
  return (options) => watch(create(options));
}

/** What `work` gives, or what the database failed with meanwhile: that is the truth. */
export async function orDatabaseFailure<Result>(work: () => Promise<Result>): Promise<Result> {
  const failures: unknown[] = [];
  const outcome = current.run(failures, work);
  await outcome.catch(() => undefined);
  if (failures.length > 0) throw failures[0];
  return outcome;
}

/** For work that better-auth has us do, and whose failure it would swallow. */
export function noteFailure(error: unknown): never {
  current.getStore()?.push(error);
  throw error;
}

function watch<Watched extends object>(adapter: Watched): Watched {
  return new Proxy(adapter, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver);
      if (typeof member !== 'function') return member;
      return async (...given: unknown[]) => {
        try {
          const work = name === 'transaction' ? given.map(watchWork) : given;
          const found: unknown = await member.apply(target, work);
          if (name === 'findOne') noteUser(given[0], found);
          return found;
        } catch (error) {
          if (isTold(error)) current.getStore()?.push(error);
          throw error;
        }
      };
    },
  });
}

/**
 * Of two who want the same name at once, one is told that it is taken; and who breaks a rule, which. What
 * better-auth tries afterwards, in a transaction that has failed, would be told instead.
 */
function isTold(error: unknown): boolean {
  return isFailure(error) || isUniqueViolation(error) || isCheckViolation(error);
}

/** The first session that a request reads is its own: from then on its log lines say whose it is. */
function noteUser(asked: unknown, found: unknown): void {
  const { model } = asked as { model: string };
  const { userId } = (found ?? {}) as { userId?: string };
  if (model === 'session' && userId !== undefined) identifyCurrent(userId);
}

/** A transaction hands its work an adapter of its own. */
function watchWork(work: unknown): unknown {
  if (typeof work !== 'function') return work;
  return (adapter: object) => work(watch(adapter));
}
