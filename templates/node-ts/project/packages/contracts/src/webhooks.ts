import { z } from 'zod';
import { PageQuery, page } from './pagination.ts';
import { text, WebAddress } from './text.ts';

const DAY_S = 86_400;

const url = WebAddress.meta({ format: 'uri' }).describe('Where events are sent by POST');
const eventTypes = z.array(z.string().max(100)).min(1).max(100);

/** An address of an organization's that hears of events; its secret is not shown again. */
export const WebhookEndpoint = z
  .object({
    id: z.uuid(),
    url: z.string(),
    description: z.string(),
    eventTypes: z.array(z.string()),
    isEnabled: z.boolean(),
    disabledBecause: z
      .enum(['gone', 'failing'])
      .nullable()
      .describe(
        'gone: it answered 410; failing: nothing was taken for days; null: somebody did it',
      ),
    failingSince: z.iso.datetime().nullable().describe('Since when nothing has been taken'),
    pausedUntil: z.iso.datetime().nullable().describe('Until when it asked to be left alone'),
    previousSecretUntil: z.iso
      .datetime()
      .nullable()
      .describe('How long messages are also signed with the secret that was replaced'),
    version: z.int().describe('Grows by one with every change; the ETag is made from it'),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'WebhookEndpoint' });
export type WebhookEndpoint = z.infer<typeof WebhookEndpoint>;

export const WebhookEndpointWithSecret = z
  .object({
    ...WebhookEndpoint.shape,
    secret: z.string().describe('Verifies signatures; nobody is shown it a second time'),
  })
  .meta({ id: 'WebhookEndpointWithSecret' });
export type WebhookEndpointWithSecret = z.infer<typeof WebhookEndpointWithSecret>;

export const WebhookEndpointPage = page(WebhookEndpoint).meta({ id: 'WebhookEndpointPage' });
export type WebhookEndpointPage = z.infer<typeof WebhookEndpointPage>;

/** The types of events that there are stand in the API document. */
export const NewWebhookEndpoint = z.strictObject({
  url,
  description: text(500).default(''),
  eventTypes,
});
export type NewWebhookEndpoint = z.infer<typeof NewWebhookEndpoint>;

export const WebhookEndpointChanges = z.strictObject({
  url: url.optional(),
  description: text(500).optional(),
  eventTypes: eventTypes.optional(),
  isEnabled: z.boolean().optional(),
});
export type WebhookEndpointChanges = z.infer<typeof WebhookEndpointChanges>;

export const WebhookRotation = z
  .strictObject({
    graceSeconds: z
      .int()
      .min(0)
      .max(7 * DAY_S)
      .default(DAY_S)
      .describe('How long messages are signed with both secrets; 0 ends the old one at once'),
  })
  .meta({ id: 'WebhookRotation' });
export type WebhookRotation = z.infer<typeof WebhookRotation>;

export const WebhookDeliveryStatus = z.enum(['pending', 'delivered', 'failed']);

/** Why an attempt failed. What a receiver has answered is told by its status alone. */
export const WebhookDeliveryError = z.enum([
  'status',
  'redirect',
  'gone',
  'timeout',
  'unreachable',
  'name_not_found',
  'address_not_public',
  'connection_lost',
  'tls',
  'secret_unreadable',
  'endpoint_disabled',
]);
export type WebhookDeliveryError = z.infer<typeof WebhookDeliveryError>;

/** A message to one endpoint, and how far it has come. */
export const WebhookDelivery = z
  .object({
    id: z.uuid(),
    endpointId: z.uuid(),
    messageId: z.string().describe('The webhook-id of each attempt'),
    eventType: z.string(),
    status: WebhookDeliveryStatus,
    attempts: z.int(),
    lastAttemptAt: z.iso.datetime().nullable(),
    responseStatus: z.int().nullable(),
    error: WebhookDeliveryError.nullable(),
    nextAttemptAt: z.iso.datetime().nullable(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'WebhookDelivery' });
export type WebhookDelivery = z.infer<typeof WebhookDelivery>;

export const WebhookDeliveryWithPayload = z
  .object({ ...WebhookDelivery.shape, payload: z.string().describe('The body that is sent') })
  .meta({ id: 'WebhookDeliveryWithPayload' });
export type WebhookDeliveryWithPayload = z.infer<typeof WebhookDeliveryWithPayload>;

export const WebhookDeliveryPage = page(WebhookDelivery).meta({ id: 'WebhookDeliveryPage' });
export type WebhookDeliveryPage = z.infer<typeof WebhookDeliveryPage>;

export const WebhookDeliveryQuery = PageQuery.extend({
  endpointId: z.uuid().optional(),
  status: WebhookDeliveryStatus.optional(),
});
export type WebhookDeliveryQuery = z.infer<typeof WebhookDeliveryQuery>;
