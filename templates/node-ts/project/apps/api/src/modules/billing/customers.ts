import type { Stripe } from 'stripe';
import { organizationNotFound } from '../../auth/access.ts';
import type { Database } from '../../db/database.ts';
import { isForeignKeyViolation } from '../../db/errors.ts';
import { withTenant } from '../../db/tenant.ts';
import { keepCustomer, openAccount, renewCreationKey } from './accounts.ts';
import { isKeptFailure } from './stripe.ts';

/**
 * The organization's customer at Stripe, made if there is none: one, however many ask at once. The key
 * is in the database before Stripe is asked, so who asks again after a crash gets the same customer.
 */
export async function customerOf(
  database: Database,
  stripe: Stripe,
  organizationId: string,
): Promise<string> {
  const account = await withTenant(database, organizationId, openAccount).catch((error) => {
    throw isForeignKeyViolation(error) ? organizationNotFound() : error;
  });
  if (account.customerId !== null) return account.customerId;
  const { creationKey } = account;
  try {
    // Always the same, since Stripe refuses a key that comes with something else.
    const body = { metadata: { organizationId } };
    const { id } = await stripe.customers.create(body, { idempotencyKey: creationKey });
    const kept = await withTenant(database, organizationId, (tx) =>
      keepCustomer(tx, creationKey, id),
    );
    // Deleted meanwhile: nothing was sold to the customer, nor will be.
    if (!kept) throw organizationNotFound();
    return kept;
  } catch (error) {
    if (isKeptFailure(error)) {
      await withTenant(database, organizationId, (tx) => renewCreationKey(tx, creationKey));
    }
    throw error;
  }
}
