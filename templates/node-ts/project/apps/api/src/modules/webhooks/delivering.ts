import type { WebhookDelivery, WebhookDeliveryError } from '@app/contracts';
import { z } from 'zod';
import type { Transaction } from '../../db/database.ts';
import type { Event } from '../../queue/event.ts';
import { defineJob, enqueue } from '../../queue/job.ts';
import {
  changeDelivery,
  type DeliveryRow,
  findWaiting,
  insertDelivery,
  type NewDelivery,
  reopenDelivery,
} from './deliveries.ts';
import {
  disableEndpoint,
  type EndpointRow,
  findEndpoint,
  lockEndpoint,
  noteFailure,
  noteSuccess,
  subscribedEndpoints,
} from './endpoints.ts';
import type { Answer } from './post.ts';
import { nextAttempt, readRetryAfter } from './retries.ts';

/** Most that a message may have, so that every receiver takes it. */
export const MOST_BYTES = 20_000;
/** Behind so many days of failures alone an endpoint is disabled. */
const DAYS_OF_FAILURE = 5;
/** Whose Retry-After is a wish to be left alone. */
const BUSY = [429, 503];

const options = {
  payload: z.object({ deliveryId: z.uuid(), attempt: z.int().min(1) }),
  // One receiver that hangs holds up its own messages alone.
  onePerGroup: true,
  timeoutSeconds: 60,
};
export const deliver = defineJob({ name: 'webhooks.deliver', ...options });
/** Beside the others, so that those who fail, however many they are, hold up none that work. */
export const deliverAgain = defineJob({ name: 'webhooks.deliver-again', ...options });

/** The same for every endpoint and attempt. */
export function messageOf(type: string, data: unknown): string {
  const body = JSON.stringify({ type, timestamp: new Date().toISOString(), data });
  if (Buffer.byteLength(body) <= MOST_BYTES) return body;
  throw new Error(`A message of ${type} has more than ${MOST_BYTES} bytes: send ids, not contents`);
}

/** Tells all endpoints that want to hear of it; a second time it tells nobody. */
export async function spread(tx: Transaction, messageId: string, event: Event, data: unknown) {
  const endpoints = await subscribedEndpoints(tx, event.name);
  if (endpoints.length === 0) return;
  const payload = messageOf(event.name, data);
  for (const endpoint of endpoints) {
    await queueMessage(tx, endpoint, { messageId, eventType: event.name, payload });
  }
}

export async function queueMessage(
  tx: Transaction,
  endpoint: EndpointRow,
  message: Omit<NewDelivery, 'endpointId'>,
): Promise<DeliveryRow | undefined> {
  const delivery = await insertDelivery(tx, { ...message, endpointId: endpoint.id });
  if (delivery) await enqueueAttempt(tx, endpoint, delivery);
  return delivery;
}

/** What was to come later finds that it was made, and does nothing. */
export async function sendAgain(tx: Transaction, endpoint: EndpointRow, id: string) {
  const delivery = await reopenDelivery(tx, id);
  if (delivery) await enqueueAttempt(tx, endpoint, delivery);
  return delivery;
}

/** The attempt behind those that were made. */
async function enqueueAttempt(
  tx: Transaction,
  endpoint: EndpointRow,
  { id, attempts }: Pick<DeliveryRow, 'id' | 'attempts'>,
  runAt?: Date,
): Promise<void> {
  const isFresh = attempts === 0 && endpoint.failingSince === null;
  await enqueue(
    tx,
    isFresh ? deliver : deliverAgain,
    { deliveryId: id, attempt: attempts + 1 },
    { group: endpoint.id, ...(runAt && { runAt }) },
  );
}

export interface Due {
  readonly delivery: DeliveryRow;
  readonly endpoint: EndpointRow;
}

/** What an attempt is to send: nothing if it was made, put off, or is not wanted any more. */
export async function takeAttempt(
  tx: Transaction,
  { deliveryId, attempt }: z.infer<typeof options.payload>,
): Promise<Due | undefined> {
  const delivery = await findWaiting(tx, deliveryId, attempt - 1);
  const endpoint = delivery && (await findEndpoint(tx, delivery.endpointId));
  if (!endpoint) return undefined;
  if (!endpoint.isEnabled) {
    await changeDelivery(tx, delivery, {
      status: 'failed',
      error: 'endpoint_disabled',
      nextAttemptAt: null,
    });
    return undefined;
  }
  if (endpoint.pausedUntil && endpoint.pausedUntil > new Date()) {
    await changeDelivery(tx, delivery, { nextAttemptAt: endpoint.pausedUntil });
    await enqueueAttempt(tx, endpoint, delivery, endpoint.pausedUntil);
    return undefined;
  }
  return { delivery, endpoint };
}

/** Why an endpoint is to hear of nothing more, if so. */
export function reasonToDisable({ endpoint }: Due, { error }: Answer) {
  if (error === null) return undefined;
  if (error === 'gone') return 'gone';
  const since = endpoint.failingSince?.getTime() ?? Date.now();
  return Date.now() - since > DAYS_OF_FAILURE * 86_400_000 ? 'failing' : undefined;
}

export interface Settled {
  readonly status: WebhookDelivery['status'];
  readonly isDisabled: boolean;
}

/**
 * Notes what came of an attempt, and has the next one made in the same transaction. Nothing where
 * the endpoint or the delivery is gone, or somebody else was faster.
 */
export async function settle(
  tx: Transaction,
  due: Due,
  answer: Answer,
): Promise<Settled | undefined> {
  const endpoint = await lockEndpoint(tx, due.endpoint.id);
  if (!endpoint) return undefined;
  const { delivery } = due;
  const attempts = delivery.attempts + 1;
  const { status, error } = answer;
  const because = endpoint.isEnabled ? reasonToDisable({ delivery, endpoint }, answer) : undefined;
  const wish = wishOf(answer);
  const made = attempts - delivery.earlierAttempts;
  const goesOn = error !== null && error !== 'gone' && endpoint.isEnabled && !because;
  const next = goesOn ? nextAttempt(made, wish) : undefined;
  const state = statusOf(error, next);
  const noted = await changeDelivery(tx, delivery, {
    status: state,
    attempts,
    lastAttemptAt: new Date(),
    responseStatus: status,
    error,
    nextAttemptAt: next ?? null,
  });
  if (!noted) return undefined;
  if (error === null) await noteSuccess(tx, endpoint.id);
  else await noteFailure(tx, endpoint.id, wish);
  if (because) await disableEndpoint(tx, endpoint.id, because);
  if (next) await enqueueAttempt(tx, endpoint, { id: delivery.id, attempts }, next);
  return { status: state, isDisabled: because !== undefined };
}

function statusOf(error: WebhookDeliveryError | null, next: Date | undefined) {
  if (error === null) return 'delivered';
  return next ? 'pending' : 'failed';
}

function wishOf({ status, retryAfter }: Answer): Date | null {
  return status !== null && BUSY.includes(status) ? readRetryAfter(retryAfter) : null;
}
