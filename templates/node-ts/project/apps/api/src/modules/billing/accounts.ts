import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../db/database.ts';
import { withTenant } from '../../db/tenant.ts';
import type { Catalogue, Plan } from './catalogue.ts';
import { billingAccounts } from './table.ts';

type Row = typeof billingAccounts.$inferSelect;
/** What Stripe says of an organization's subscription; all null where it has none. */
export type State = Pick<
  Row,
  | 'subscriptionId'
  | 'status'
  | 'plan'
  | 'interval'
  | 'quantity'
  | 'trialEndsAt'
  | 'periodEndsAt'
  | 'endsAt'
  | 'graceEndsAt'
>;

export const NO_SUBSCRIPTION: State = {
  subscriptionId: null,
  status: null,
  plan: null,
  interval: null,
  quantity: null,
  trialEndsAt: null,
  periodEndsAt: null,
  endsAt: null,
  graceEndsAt: null,
};

/** The organization's account, if it ever wanted to pay. */
export async function findAccount(tx: Transaction): Promise<Row | undefined> {
  const [row] = await tx.select().from(billingAccounts);
  return row;
}

/** The same, made if it is not there. */
export async function openAccount(tx: Transaction): Promise<Row> {
  await tx.insert(billingAccounts).values({}).onConflictDoNothing();
  const row = await findAccount(tx);
  if (!row) throw new Error('PostgreSQL returned no row for an insert');
  return row;
}

/** Keeps the customer that was made with the key, unless another is there; it gives the one that is. */
export async function keepCustomer(tx: Transaction, creationKey: string, customerId: string) {
  await tx
    .update(billingAccounts)
    .set({ customerId })
    .where(and(eq(billingAccounts.creationKey, creationKey), isNull(billingAccounts.customerId)));
  return (await findAccount(tx))?.customerId;
}

/** Who asks next makes another request. */
export async function renewCreationKey(tx: Transaction, creationKey: string): Promise<void> {
  await tx
    .update(billingAccounts)
    .set({ creationKey: sql`gen_random_uuid()` })
    .where(eq(billingAccounts.creationKey, creationKey));
}

/** Writes what was read when the account had the revision; false if it has another by now. */
export async function writeState(
  tx: Transaction,
  { customerId, revision }: Pick<Row, 'customerId' | 'revision'>,
  state: State | 'gone',
): Promise<boolean> {
  const set = state === 'gone' ? NO_SUBSCRIPTION : state;
  const rows = await tx
    .update(billingAccounts)
    .set({
      ...set,
      ...(state === 'gone' && { customerId: null, creationKey: sql`gen_random_uuid()` }),
      ...(set.subscriptionId !== null && { hadSubscription: true }),
      revision: revision + 1,
      updatedAt: sql`now()`,
    })
    .where(
      and(eq(billingAccounts.customerId, customerId ?? ''), eq(billingAccounts.revision, revision)),
    )
    .returning({ revision: billingAccounts.revision });
  return rows.length > 0;
}

/** Which organization a customer of Stripe's is, if it is one of ours. */
export async function organizationOf(
  tx: Transaction,
  customerId: string,
): Promise<string | undefined> {
  await tx.execute(sql`select set_config('app.billing_customer', ${customerId}, true)`);
  const [row] = await tx
    .select({ id: billingAccounts.organizationId })
    .from(billingAccounts)
    .where(eq(billingAccounts.customerId, customerId));
  return row?.id;
}

/** Whether the subscription gives its plan at this moment. */
const isEntitled = sql<boolean>`billing_entitles(${billingAccounts.status}, ${billingAccounts.graceEndsAt})`;

/** The plan that an organization has at this moment, and its account. */
export async function planOf(
  { database, catalogue }: { readonly database: Database; readonly catalogue: Catalogue },
  organizationId: string,
): Promise<{ plan: Plan; account: Row | undefined }> {
  const [found] = await withTenant(database, organizationId, (tx) =>
    tx.select({ account: billingAccounts, isEntitled }).from(billingAccounts),
  );
  const plan = catalogue.named(found?.isEntitled ? found.account.plan : undefined);
  return { plan, account: found?.account };
}
