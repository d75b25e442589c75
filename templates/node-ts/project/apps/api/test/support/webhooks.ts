import type { WebhookDelivery, WebhookEndpoint, WebhookEndpointWithSecret } from '@app/contracts';
import { sql } from 'drizzle-orm';
import { expect } from 'vitest';
import { z } from 'zod';
import { withTenant } from '../../src/db/tenant.ts';
import { defineModule, type Services } from '../../src/module.ts';
import { defineEvent } from '../../src/queue/event.ts';
import { type Client, startApp, type TestApp, type TestAppOptions } from './app.ts';

export const PATIENCE = { timeout: 60_000 };

/** An event of the tests' own, so that none of yours has to be there. */
export const bellRung = defineEvent({
  name: 'bell.rung',
  payload: z.object({ text: z.string() }),
});

/** The application with `bellRung` among its events, which may be sent to loopback. */
export async function startWithBell({
  extraModules = [],
  ...options
}: Pick<TestAppOptions, 'metrics' | 'extraModules'> = {}) {
  let services: Services | undefined;
  const bell = defineModule({
    name: 'test-bell',
    offers: [bellRung],
    register(_app, given) {
      services = given;
    },
  });
  const test = await startApp({
    env: { ALLOWED_PRIVATE_CIDRS: '127.0.0.0/8' },
    extraModules: [bell, ...extraModules],
    ...options,
  });
  const ring = (organizationId: string, text: string) =>
    withTenant(test.database, organizationId, async (tx) =>
      services?.publish(tx, bellRung, { text }),
    );
  return { ...test, ring };
}

export async function makeEndpoint(
  client: Client,
  path: string,
  url: string,
  more: object = {},
): Promise<WebhookEndpointWithSecret> {
  const payload = { url, eventTypes: [bellRung.name], ...more };
  const response = await client.post(`${path}/webhook-endpoints`, payload);
  expect(response.statusCode, response.body).toBe(201);
  return response.json();
}

/** Deliveries to one endpoint, oldest first. */
export async function deliveriesTo(
  client: Client,
  path: string,
  { id }: { readonly id: string },
): Promise<WebhookDelivery[]> {
  const response = await client.get(`${path}/webhook-deliveries?limit=100&endpointId=${id}`);
  return response.json<{ items: WebhookDelivery[] }>().items.toReversed();
}

export async function readEndpoint(
  client: Client,
  path: string,
  { id }: { readonly id: string },
): Promise<WebhookEndpoint> {
  return (await client.get(`${path}/webhook-endpoints/${id}`)).json();
}

/** What waits for its time is due now, and told of as if it were new. */
export async function hurry({ database }: Pick<TestApp, 'database'>): Promise<void> {
  await database.db.execute(sql`
    with due as (
      update queue.job set start_after = now()
      where name like 'webhooks.%' and state < 'active' returning name)
    select pg_notify('pgboss_' || left(encode(sha224('queue'::bytea), 'hex'), 24), name) from due`);
}

/** When nothing that is due is left to do: what a test has sent does not reach the next one. */
export async function settled({ database }: Pick<TestApp, 'database'>): Promise<void> {
  const left = () =>
    database.db.execute(sql`
      select name from queue.job
      where name like 'webhooks.%' and state < 'completed' and start_after <= now()`);
  await expect.poll(async () => (await left()).rows, PATIENCE).toEqual([]);
}
