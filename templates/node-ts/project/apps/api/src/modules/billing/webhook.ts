import { lt, sql } from 'drizzle-orm';
import type { Stripe } from 'stripe';
import { z } from 'zod';
import type { Database } from '../../db/database.ts';
import type { App } from '../../http/app.ts';
import { problems } from '../../http/openapi.ts';
import { ProblemError } from '../../http/problems.ts';
import type { Services } from '../../module.ts';
import { enqueue } from '../../queue/job.ts';
import { organizationOf } from './accounts.ts';
import { refresh } from './jobs.ts';
import { type BillingParts, refuseUnconfigured } from './stripe.ts';
import { billingEvents } from './table.ts';

/** Not below /api: nobody but Stripe has any business here. */
const PATH = '/webhooks/stripe';
/** Longer than Stripe goes on sending an event. */
const KEEP_DAYS = 30;
/** How many events that are over each new one takes away. */
const SWEEP = 10;
/** Stripe sends all from few addresses. */
const RATE = 10;

/** What is believed of an event: that it is reason to look whether something about a customer has changed. */
const Hint = z.object({
  id: z.string().min(1).max(255),
  type: z.string().max(255),
  data: z.object({
    object: z.looseObject({ id: z.unknown().optional(), customer: z.unknown().optional() }),
  }),
});
type Hint = z.infer<typeof Hint>;

export function registerWebhook(app: App, parts: Services & BillingParts): void {
  const { config, database, env, connect } = parts;
  app.removeAllContentTypeParsers();
  // The signature is one of the bytes as they came.
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.post(
    PATH,
    {
      config: { rateLimit: { max: config.RATE_LIMIT_MAX * RATE } },
      preParsing: refuseUnconfigured(env),
      schema: {
        tags: ['billing'],
        operationId: 'receiveStripeEvent',
        summary: "Take an event from Stripe, signed with its endpoint's secret",
        security: [],
        headers: z.object({ 'stripe-signature': z.string() }),
        response: {
          200: z.object({ received: z.literal(true) }),
          ...problems(400, 413, 415, 429),
        },
      },
    },
    async (request, reply) => {
      const stripe = await connect();
      const signature = request.headers['stripe-signature'];
      const hint = verify(stripe, env.STRIPE_WEBHOOK_SECRET ?? '', request.body, signature);
      const outcome = await take(database, hint);
      request.log.info({ event: { id: hint.id, type: hint.type }, outcome }, 'event from Stripe');
      return reply.code(200).send({ received: true });
    },
  );
}

function verify(stripe: Stripe, secret: string, body: unknown, signature: string): Hint {
  try {
    const payload = Buffer.isBuffer(body) ? body : '';
    return Hint.parse(stripe.webhooks.constructEvent(payload, signature, secret));
  } catch {
    // Which of them it is, is nobody's business.
    const detail = 'It is not signed with the secret of this endpoint, too old, or no event';
    throw new ProblemError(400, 'event_refused', detail);
  }
}

/** Stores the event and what has to be done about it, both or neither. */
function take(database: Database, hint: Hint): Promise<'known' | 'not ours' | 'taken'> {
  return database.db.transaction(async (tx) => {
    await tx.execute(sql`
      delete from ${billingEvents} where ctid in (
        select ctid from ${billingEvents}
        where ${lt(billingEvents.receivedAt, sql`now() - make_interval(days => ${KEEP_DAYS})`)}
        limit ${SWEEP} for update skip locked)`);
    const { id, type } = hint;
    const added = await tx
      .insert(billingEvents)
      .values({ id, type })
      .onConflictDoNothing()
      .returning({ id: billingEvents.id });
    if (added.length === 0) return 'known';
    const customerId = customerIn(hint);
    const organizationId = customerId && (await organizationOf(tx, customerId));
    if (!customerId || !organizationId) return 'not ours';
    // The job is the organization's.
    await tx.execute(sql`select set_config('app.organization_id', ${organizationId}, true)`);
    await enqueue(tx, refresh, { customerId });
    return 'taken';
  });
}

/** Whom the event is about: its object is the customer, or names it by its id or whole. */
function customerIn({ type, data: { object } }: Hint): string | undefined {
  const customer = /^customer\.[a-z]+$/.test(type) ? object.id : object.customer;
  if (typeof customer === 'string') return customer;
  const { id } = (customer ?? {}) as { id?: unknown };
  return typeof id === 'string' ? id : undefined;
}
