import type { Database, Transaction } from './database.ts';
import { TENANT_ROLE } from './tenant-role.ts';

/**
 * Runs `work` in a transaction in which PostgreSQL itself shows and accepts only the rows of
 * one organization. Both settings end with the transaction, so a pooled connection forgets them.
 */
export function withTenant<Result>(
  database: Database,
  organizationId: string,
  work: (tx: Transaction) => Promise<Result>,
): Promise<Result> {
  return database.withSettings({ 'app.organization_id': organizationId, role: TENANT_ROLE }, work);
}
