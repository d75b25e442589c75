import { randomUUID } from 'node:crypto';
import { organizations, users } from '../../src/auth/schema.ts';
import type { Database } from '../../src/db/database.ts';
import { withTenant } from '../../src/db/tenant.ts';
import { enqueue } from '../../src/modules/jobs/repository.ts';
import { instance } from '../ml/contract.ts';

/** Two organizations, and somebody who makes jobs for both. */
export async function addPeople(database: Database): Promise<void> {
  for (const id of ['red', 'blue']) {
    await database.db.insert(organizations).values({ id, name: id, slug: id });
  }
  await database.db.insert(users).values({ id: 'ada', name: 'Ada', email: 'ada@example.com' });
}

export async function addJob(database: Database, organization = 'red'): Promise<string> {
  const key = randomUUID();
  const { id } = await withTenant(database, organization, (tx) =>
    enqueue(
      tx,
      {
        createdBy: 'ada',
        idempotencyKey: key,
        fingerprint: '',
        requestId: key,
        traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-00`,
        input: { instances: [instance()] },
      },
      async () => undefined,
    ),
  );
  return id;
}
