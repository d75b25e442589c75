import { and, eq, sql } from 'drizzle-orm';
import { z } from 'zod';
import { members, users } from '../../auth/schema.ts';
import type { Database } from '../../db/database.ts';
import { withTenant } from '../../db/tenant.ts';
import { postMail } from '../../mail/post.ts';
import type { Services } from '../../module.ts';
import { type Event, on } from '../../queue/event.ts';
import { defineJob, handle, type JobHandler, type JobRun } from '../../queue/job.ts';
import type { AddressGuard } from './addresses.ts';
import { deleteOldDeliveries } from './deliveries.ts';
import {
  type Due,
  deliver,
  deliverAgain,
  reasonToDisable,
  type Settled,
  settle,
  spread,
  takeAttempt,
} from './delivering.ts';
import { disabledMail } from './mails.ts';
import { type Answer, LIMITS, type Limits, post } from './post.ts';
import { type SecretBox, signatures } from './secrets.ts';

const sweep = defineJob({
  name: 'webhooks.sweep',
  payload: z.object({}),
  schedule: '17 3 * * *',
});

/** What an attempt is called that leaves a delivery in this state. */
const OUTCOMES = { delivered: 'delivered', pending: 'failed', failed: 'given_up' } as const;

export interface Parts {
  readonly eventTypes: readonly Event[];
  readonly guard: AddressGuard;
  readonly box: SecretBox;
  readonly retentionDays: number;
  readonly limits?: Limits;
}

export function webhookJobs({ database, metrics }: Services, parts: Parts): JobHandler[] {
  const count = metrics.counter({
    name: 'webhook_deliveries_total',
    help: 'Attempts to deliver webhooks: delivered, failed (and tried again later) or given_up.',
    labels: { outcome: Object.values(OUTCOMES) },
  });
  const attempt = async (payload: Parameters<typeof takeAttempt>[1], run: JobRun) => {
    const settled = await makeAttempt(database, parts, payload, run);
    if (settled) count({ outcome: OUTCOMES[settled.status] });
  };
  return [
    ...parts.eventTypes.map((event) =>
      on(event, { name: `webhooks.${event.name}` }, async (data, { id, organizationId }) => {
        if (organizationId === null) return;
        await withTenant(database, organizationId, (tx) => spread(tx, `msg_${id}`, event, data));
      }),
    ),
    handle(deliver, attempt),
    handle(deliverAgain, attempt),
    handle(sweep, async (_, { signal, log }) => {
      const count = await deleteOldDeliveries(database, parts.retentionDays, signal);
      log.info({ count }, 'old webhook deliveries deleted');
    }),
  ];
}

/** No transaction is open while the receiver is waited for. */
async function makeAttempt(
  database: Database,
  parts: Parts,
  payload: Parameters<typeof takeAttempt>[1],
  { organizationId, signal, log }: JobRun,
): Promise<Settled | undefined> {
  if (organizationId === null) return undefined;
  const due = await withTenant(database, organizationId, (tx) => takeAttempt(tx, payload));
  if (!due) return undefined;
  const answer = await send(due, parts, signal);
  const { status, error } = answer;
  log.info({ endpointId: due.endpoint.id, status, error }, 'webhook attempted');
  const because = reasonToDisable(due, answer);
  const owners = because ? await findOwners(database, organizationId) : [];
  return withTenant(database, organizationId, async (tx) => {
    const settled = await settle(tx, due, answer);
    if (!settled?.isDisabled || !because) return settled;
    for (const owner of owners) await postMail(tx, owner, disabledMail(due.endpoint.url, because));
    return settled;
  });
}

async function send(
  { endpoint, delivery }: Due,
  { box, guard, limits = LIMITS }: Parts,
  signal: AbortSignal,
): Promise<Answer> {
  const isInGrace = endpoint.previousUntil !== null && endpoint.previousUntil > new Date();
  const sealed = [endpoint.secret, ...(isInGrace ? [endpoint.previousSecret ?? ''] : [])];
  const secrets = sealed.flatMap((text) => box.open(text, endpoint.id) ?? []);
  if (secrets.length === 0) return { status: null, error: 'secret_unreadable' };
  const { messageId: id, payload: body } = delivery;
  const timestamp = Math.floor(Date.now() / 1_000);
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'webhooks/1',
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures(secrets, { id, timestamp, body }),
  };
  return post({ url: endpoint.url, headers, body, guard, limits, signal });
}

/** Tenants do not see accounts, so they are looked up outside. */
async function findOwners({ db }: Database, organizationId: string): Promise<string[]> {
  const isOwner = sql`'owner' = any(string_to_array(${members.role}, ','))`;
  const rows = await db
    .select({ email: users.email })
    .from(members)
    .innerJoin(users, eq(users.id, members.userId))
    .where(and(eq(members.organizationId, organizationId), isOwner));
  return rows.map(({ email }) => email);
}
