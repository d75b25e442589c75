import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../../http/app.ts';
import { type BillingParts, isConfigured } from './stripe.ts';
import { billingPlans } from './table.ts';

const LOOK_AGAIN_MS = 1_000;

/**
 * Tells PostgreSQL of the plans' seats when the application starts, and again until the database is
 * there and migrated. Where nobody can pay there are none: seats that cannot be bought are not counted.
 */
export function keepPlanTable(app: App, parts: BillingParts): void {
  const stopping = new AbortController();
  let work: Promise<void> | undefined;
  app.addHook('onReady', async () => {
    work = writeUntilDone(parts, stopping.signal);
  });
  app.addHook('onClose', async () => {
    stopping.abort();
    await work;
  });
}

async function writeUntilDone(parts: BillingParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      return await writePlans(parts);
    } catch {
      // /readyz tells of it.
      await sleep(LOOK_AGAIN_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}

async function writePlans({ database, catalogue, env }: BillingParts): Promise<void> {
  await database.db.transaction(async (tx) => {
    await tx.delete(billingPlans);
    if (!isConfigured(env)) return;
    const rows = catalogue.all.map(({ name, title, seats }) => ({
      name,
      title,
      seats: typeof seats === 'number' ? seats : null,
      isPaidBySeat: seats === 'paid',
      isDefault: name === catalogue.default.name,
    }));
    await tx.insert(billingPlans).values(rows).onConflictDoNothing();
  });
}
