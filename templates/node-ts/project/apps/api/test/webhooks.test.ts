import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { WebhookDelivery, WebhookEndpointWithSecret } from '@app/contracts';
import { sql } from 'drizzle-orm';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withTenant } from '../src/db/tenant.ts';
import { deleteOldDeliveries, findDelivery } from '../src/modules/webhooks/deliveries.ts';
import {
  type Due,
  deliver,
  deliverAgain,
  settle,
  takeAttempt,
} from '../src/modules/webhooks/delivering.ts';
import { findEndpoint } from '../src/modules/webhooks/endpoints.ts';
import { askWith, makeKey } from './support/api-keys.ts';
import { addMember, type Client, signUpOwner } from './support/app.ts';
import { Receiver } from './support/receiver.ts';
import {
  bellRung,
  deliveriesTo,
  hurry,
  makeEndpoint,
  PATIENCE,
  readEndpoint,
  settled,
  startWithBell,
} from './support/webhooks.ts';

let test: Awaited<ReturnType<typeof startWithBell>>;
let receiver: Receiver;
let owner: Client;
let organizationId: string;
let path: string;
let other: Awaited<ReturnType<typeof signUpOwner>>;

beforeAll(async () => {
  receiver = await Receiver.start();
  test = await startWithBell();
  ({ client: owner, organizationId, path } = await signUpOwner(test.app, 'bells'));
  other = await signUpOwner(test.app, 'others');
  await test.app.jobs.start();
});
beforeEach(async () => {
  await test.database.db.execute(sql`truncate webhook_endpoints cascade`);
  await settled(test);
  receiver.reset();
});
afterAll(async () => {
  await test.close();
  await receiver.close();
});

const make = (url = receiver.url(), more = {}) => makeEndpoint(owner, path, url, more);
const ring = (text = 'ding') => test.ring(organizationId, text);
const deliveries = (endpoint: { id: string }) => deliveriesTo(owner, path, endpoint);
const read = (endpoint: { id: string }) => readEndpoint(owner, path, endpoint);
const statuses = async (endpoint: { id: string }) =>
  (await deliveries(endpoint)).map(({ status, error }) => error ?? status);
const post = (url: string, payload: object = {}, client = owner) =>
  client.post(`${path}/${url}`, payload);
const patch = (endpoint: { id: string }, payload: object, ifMatch = '*') =>
  owner.send('PATCH', `${path}/webhook-endpoints/${endpoint.id}`, {
    payload,
    headers: { 'if-match': ifMatch },
  });
const verified = (secret: string, index = 0) => {
  const received = receiver.received[index];
  return new Webhook(secret).verify(
    received?.body ?? '',
    received?.headers as Record<string, string>,
  );
};
const answerWith = (status: number, headers: Record<string, string> = {}) => {
  receiver.reply = (response) => response.writeHead(status, headers).end();
};
const run = async (statement: string) =>
  (await withTenant(test.database, organizationId, (tx) => tx.execute(sql.raw(statement)))).rows;

describe('an endpoint', () => {
  it('is told of what it subscribes to, signed, once its transaction has committed', async () => {
    const { secret, ...endpoint } = await make();
    const deaf = await make(receiver.url('deaf'));
    await patch(deaf, { isEnabled: false });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    await ring('dong');
    await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['delivered']);
    const [delivery] = await deliveries(endpoint);
    expect(delivery).toMatchObject({ attempts: 1, responseStatus: 204, nextAttemptAt: null });
    expect(verified(secret)).toMatchObject({ type: bellRung.name, data: { text: 'dong' } });
    expect(receiver.received.map((each) => each.path)).toEqual(['/']);
    expect(receiver.received[0]?.headers).toMatchObject({
      'webhook-id': delivery?.messageId,
      'content-type': 'application/json',
    });
    const url = `${path}/webhook-deliveries/${delivery?.id}`;
    expect((await owner.get(url)).json()).toEqual({
      ...delivery,
      payload: receiver.received[0]?.body,
    });
  });

  it('shows its secret once, and the database does not hold it', async () => {
    const { secret, ...endpoint } = await make();
    const list = await owner.get(`${path}/webhook-endpoints`);
    expect(list.json()).toEqual({ items: [endpoint], nextCursor: null });
    const [row] = await run('select to_jsonb(e) as whole from webhook_endpoints e');
    expect(JSON.stringify(row)).not.toContain(secret.slice('whsec_'.length));
    expect(JSON.stringify(test.logs)).not.toContain(secret);
  });

  it('is signed for with both secrets while one follows the other', async () => {
    const endpoint = await make();
    const rotate = async (graceSeconds: number) =>
      (
        await post(`webhook-endpoints/${endpoint.id}/rotate`, { graceSeconds })
      ).json<WebhookEndpointWithSecret>();
    const next = await rotate(3_600);
    expect(next.previousSecretUntil).not.toBeNull();
    await ring();
    await expect.poll(() => receiver.received.length, PATIENCE).toBe(1);
    for (const each of [endpoint, next]) expect(verified(each.secret)).toBeTruthy();
    await run(`update webhook_endpoints set previous_until = now() - interval '1 second'`);
    await ring();
    await expect.poll(() => receiver.received.length, PATIENCE).toBe(2);
    expect(verified(next.secret, 1)).toBeTruthy();
    expect(() => verified(endpoint.secret, 1)).toThrow();
    const last = await rotate(0);
    expect(last.previousSecretUntil).toBeNull();
    await ring();
    await expect.poll(() => receiver.received.length, PATIENCE).toBe(3);
    expect(verified(last.secret, 2)).toBeTruthy();
    expect(() => verified(next.secret, 2)).toThrow();
  });

  it('is changed by who has seen its last version', async () => {
    const endpoint = await make();
    expect((await patch(endpoint, { description: 'x' }, '"7"')).statusCode).toBe(412);
    const changed = await patch(endpoint, { description: 'x' }, '"1"');
    expect([changed.statusCode, changed.headers.etag]).toEqual([200, '"2"']);
    expect(await read(endpoint)).toMatchObject({ description: 'x', version: 2 });
    const url = `${path}/webhook-endpoints/${endpoint.id}`;
    expect((await owner.send('DELETE', url)).statusCode).toBe(204);
    expect((await owner.send('DELETE', url)).json().code).toBe('webhook_endpoint_not_found');
  });

  it.each([
    [{ url: 'http://10.0.0.1/' }, 'webhook_url_refused'],
    [{ url: 'http://[::1]/' }, 'webhook_url_refused'],
    [{ url: 'https://user:password@example.com/' }, 'webhook_url_refused'],
    [{ url: 'https://example.com:22/' }, 'webhook_url_refused'],
    [{ url: 'ftp://example.com/' }, 'invalid_request'],
    [{ url: 'javascript:alert(1)' }, 'invalid_request'],
    [{ url: '' }, 'invalid_request'],
    [{ url: `https://example.com/${'x'.repeat(3_000)}` }, 'invalid_request'],
    [{ eventTypes: [] }, 'invalid_request'],
    [{ eventTypes: ['nothing.happened'] }, 'invalid_request'],
    [{ eventTypes: ['toString'] }, 'invalid_request'],
    [{ secret: 'whsec_mine' }, 'invalid_request'],
    [{ description: '\0' }, 'invalid_request'],
  ])('is not made with %j', async (bad, code) => {
    const payload = { url: 'https://example.com/', eventTypes: [bellRung.name], ...bad };
    const refused = await post('webhook-endpoints', payload);
    expect([refused.statusCode, refused.json().code]).toEqual([400, code]);
    const endpoint = await make('https://example.com/');
    expect((await patch(endpoint, bad)).json().code).toBe(code);
  });

  it('has its URL for itself, and there are only so many', async () => {
    const payload = { url: receiver.url('same'), eventTypes: [bellRung.name] };
    await post('webhook-endpoints', payload);
    expect((await post('webhook-endpoints', payload)).json().code).toBe('url_taken');
    await run(`insert into webhook_endpoints (id, url, description, event_types, secret)
      select gen_random_uuid(), 'https://example.com/' || n, '', '{}', '' from generate_series(1, 48) n`);
    const answers = await Promise.all(
      ['x', 'y', 'z'].map((name) =>
        post('webhook-endpoints', { ...payload, url: receiver.url(name) }),
      ),
    );
    expect(answers.map(({ statusCode }) => statusCode).toSorted()).toEqual([201, 409, 409]);
  });

  it('is for owners, admins, and keys that are for it', async () => {
    const endpoint = await make();
    const member = await addMember(test, owner, 'ringer@example.com', 'member');
    expect((await member.get(`${path}/webhook-endpoints`)).statusCode).toBe(403);
    expect((await post(`webhook-endpoints/${endpoint.id}/ping`, {}, member)).statusCode).toBe(403);
    const key = await makeKey(owner, path, { scopes: ['webhook:read'] });
    const url = `${path}/webhook-endpoints/${endpoint.id}`;
    expect((await askWith(test.app, key, url)).statusCode).toBe(200);
    expect((await askWith(test.app, key, `${url}/ping`, { method: 'POST' })).statusCode).toBe(403);
  });

  it('answers a ping that is asked for, and one for each Idempotency-Key', async () => {
    const endpoint = await make();
    const url = `${path}/webhook-endpoints/${endpoint.id}/ping`;
    const ask = () => owner.send('POST', url, { headers: { 'idempotency-key': 'once' } });
    const first = await ask();
    expect([first.statusCode, first.json().eventType]).toEqual([202, 'webhooks.ping']);
    expect((await ask()).body).toBe(first.body);
    await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['delivered']);
    expect(verified(endpoint.secret)).toMatchObject({ type: 'webhooks.ping', data: {} });
    await patch(endpoint, { isEnabled: false });
    const refused = await owner.send('POST', url);
    expect([refused.statusCode, refused.json().code]).toEqual([409, 'webhook_endpoint_disabled']);
  });
});

describe('a message', () => {
  it('that is not taken is sent again with the same id, and no other endpoint hears of it', async () => {
    const [endpoint, well] = [await make(), await make(receiver.url('well'))];
    receiver.reply = (response, { path: where }) =>
      response
        .writeHead(where === '/' ? 500 : 204, { 'retry-after': '7200' })
        .end('a secret of the receiver');
    await ring();
    await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['status']);
    const [delivery] = await deliveries(endpoint);
    // Who is not busy wishes for nothing.
    expect((await read(endpoint)).pausedUntil).toBeNull();
    // An attempt that was made is not made again, should its job come twice.
    const made = { deliveryId: `${delivery?.id}`, attempt: 1 };
    expect(
      await withTenant(test.database, organizationId, (tx) => takeAttempt(tx, made)),
    ).toBeUndefined();
    expect(delivery).toMatchObject({ status: 'pending', attempts: 1, responseStatus: 500 });
    expect(Date.parse(delivery?.nextAttemptAt ?? '')).toBeGreaterThan(Date.now());
    expect((await read(endpoint)).failingSince).not.toBeNull();
    answerWith(204);
    await hurry(test);
    await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['delivered']);
    await expect.poll(() => statuses(well), PATIENCE).toEqual(['delivered']);
    expect((await read(endpoint)).failingSince).toBeNull();
    const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect([ids.length, new Set(ids).size]).toEqual([3, 1]);
    expect((await deliveries(well)).map(({ attempts }) => attempts)).toEqual([1]);
    const rows = await run('select to_jsonb(d) as whole from webhook_deliveries d');
    expect(JSON.stringify([rows, test.logs])).not.toContain('a secret of the receiver');
  });

  it('that was sent twice, since its job came twice at once, is noted and goes on once', async () => {
    const endpoint = await make();
    // The next attempt is far away.
    answerWith(429, { 'retry-after': '7200' });
    await ring();
    await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['status']);
    const id = (await deliveries(endpoint))[0]?.id ?? '';
    const settleAs = (due: Due) =>
      withTenant(test.database, organizationId, (tx) =>
        settle(tx, due, { status: 500, error: 'status' }),
      );
    const due = (await withTenant(test.database, organizationId, async (tx) => ({
      delivery: await findDelivery(tx, id),
      endpoint: await findEndpoint(tx, endpoint.id),
    }))) as Due;
    const noted = [await settleAs(due), await settleAs(due)];
    expect(noted.map((each) => each?.status)).toEqual(['pending', undefined]);
    const { rows } = await test.database.db.execute(sql`
      select id from queue.job where data->'payload'->>'deliveryId' = ${id}
        and data->'payload'->>'attempt' = '3'`);
    expect(rows).toHaveLength(1);
  });

  it('to who fails waits beside the others, and does not stand in front of them', async () => {
    const [fails, works] = [await make(), await make(receiver.url('works'))];
    receiver.reply = (response, { path: where }) =>
      response.writeHead(where === '/' ? 500 : 204).end();
    await ring('first');
    await expect.poll(() => statuses(fails), PATIENCE).toEqual(['status']);
    await ring('second');
    await expect.poll(async () => (await statuses(works)).length, PATIENCE).toBe(2);
    const queuesOf = async ({ id }: { id: string }) => {
      const { rows } = await test.database.db.execute<{ name: string }>(
        sql`select name from queue.job where group_id = ${id} order by created_on`,
      );
      return rows.map(({ name }) => name);
    };
    const [first, again] = [deliver.name, deliverAgain.name];
    const [head, ...rest] = await queuesOf(fails);
    expect([head, new Set(rest)]).toEqual([first, new Set([again])]);
    expect(await queuesOf(works)).toEqual([first, first]);
  });

  it('is given up after its last attempt, and sent again by hand', async () => {
    const endpoint = await make();
    answerWith(400);
    await ring();
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      const made = async () => (await deliveries(endpoint))[0]?.attempts;
      await expect.poll(made, PATIENCE).toBe(attempt);
      await hurry(test);
    }
    const [failed] = await deliveries(endpoint);
    expect(failed).toMatchObject({ status: 'failed', nextAttemptAt: null, error: 'status' });
    answerWith(204);
    const again = await post(`webhook-deliveries/${failed?.id}/resend`);
    expect([again.statusCode, again.json<WebhookDelivery>().status]).toEqual([202, 'pending']);
    await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['delivered']);
    expect((await deliveries(endpoint))[0]).toMatchObject({ attempts: 11, error: null });
  });

  it('leaves a receiver alone for as long as that asks for', async () => {
    const endpoint = await make();
    answerWith(429, { 'retry-after': '7200' });
    await ring();
    await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['status']);
    const { pausedUntil } = await read(endpoint);
    const inHours = (text: string | null | undefined) =>
      (Date.parse(text ?? '') - Date.now()) / 3_600_000;
    expect(inHours(pausedUntil)).toBeCloseTo(2, 1);
    expect((await deliveries(endpoint))[0]?.nextAttemptAt).toBe(pausedUntil);
    // What comes next, and what is woken early, waits too.
    await ring();
    await hurry(test);
    const next = async () => (await deliveries(endpoint)).map(({ nextAttemptAt }) => nextAttemptAt);
    await expect.poll(next, PATIENCE).toEqual([pausedUntil, pausedUntil]);
    expect(receiver.received).toHaveLength(1);
    answerWith(204);
    await run(`update webhook_endpoints set paused_until = now() - interval '1 second'`);
    await hurry(test);
    await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['delivered', 'delivered']);
    expect((await read(endpoint)).pausedUntil).toBeNull();
  });

  it('that is answered with 410 is the last one, and owners are told, nobody else', async () => {
    const endpoint = await make();
    await addMember(test, owner, 'hears@example.com', 'member');
    const toMembers = () => test.mails.filter(({ to }) => to === 'hears@example.com').length;
    const mailsBefore = toMembers();
    answerWith(410);
    await ring();
    const mail = await test.mailTo(
      'bells@example.com',
      `Webhooks to 127.0.0.1:${receiver.port} are switched off`,
    );
    expect(mail.text).toContain('410');
    expect(await read(endpoint)).toMatchObject({ isEnabled: false, disabledBecause: 'gone' });
    expect(await statuses(endpoint)).toEqual(['gone']);
    await ring();
    const [delivery] = await deliveries(endpoint);
    const refused = await post(`webhook-deliveries/${delivery?.id}/resend`);
    expect(refused.json().code).toBe('webhook_endpoint_disabled');
    answerWith(204);
    await patch(endpoint, { isEnabled: true });
    expect(await read(endpoint)).toMatchObject({ isEnabled: true, disabledBecause: null });
    await post(`webhook-deliveries/${delivery?.id}/resend`);
    await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['delivered']);
    expect(toMembers()).toBe(mailsBefore);
  });

  it('waits for nobody who has failed for days: the endpoint is disabled', async () => {
    const endpoint = await make();
    answerWith(500);
    await run(`update webhook_endpoints set failing_since = now() - interval '6 days'`);
    await ring('first');
    await expect
      .poll(() => read(endpoint), PATIENCE)
      .toMatchObject({ isEnabled: false, disabledBecause: 'failing' });
    await test.mailTo(
      'bells@example.com',
      `Webhooks to 127.0.0.1:${receiver.port} are switched off`,
    );
    expect(await statuses(endpoint)).toEqual(['status']);
  });

  it('that waits when its endpoint is disabled is not sent', async () => {
    const endpoint = await make();
    answerWith(500);
    await ring();
    await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['status']);
    await patch(endpoint, { isEnabled: false });
    await hurry(test);
    await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['endpoint_disabled']);
    expect(receiver.received).toHaveLength(1);
  });

  it('hangs on one receiver and delays no other', async () => {
    const [hanging, well] = [await make(receiver.url('hanging')), await make(receiver.url('well'))];
    const held: ServerResponse[] = [];
    receiver.reply = (response, { path: where }) => {
      if (where === '/hanging') held.push(response);
      else response.writeHead(204).end();
    };
    for (let count = 0; count < 6; count += 1) await ring(`${count}`);
    const arrived = () => receiver.received.filter((each) => each.path === '/well').length;
    await expect.poll(arrived, PATIENCE).toBe(6);
    // It has not been given up meanwhile: the others did not wait for that.
    const states = await statuses(hanging);
    expect([held.length, states]).toEqual([1, states.map(() => 'pending')]);
    await expect.poll(() => statuses(well), PATIENCE).toEqual(Array(6).fill('delivered'));
    await owner.send('DELETE', `${path}/webhook-endpoints/${hanging.id}`);
    for (const response of held) response.end();
  });

  it('is kept for so many days, and swept from every organization', async () => {
    const endpoint = await make();
    const theirs = await makeEndpoint(other.client, other.path, receiver.url('theirs'));
    for (const each of [organizationId, other.organizationId]) await test.ring(each, 'old');
    const all = async () => [
      ...(await deliveries(endpoint)),
      ...(await deliveriesTo(other.client, other.path, theirs)),
    ];
    await expect.poll(all, PATIENCE).toHaveLength(2);
    const age = `update webhook_deliveries set created_at = now() - interval '31 days'`;
    for (const each of [organizationId, other.organizationId]) {
      await withTenant(test.database, each, (tx) => tx.execute(sql.raw(age)));
    }
    await ring('new');
    await expect.poll(() => receiver.received, PATIENCE).toHaveLength(3);
    const never = new AbortController().signal;
    expect(await deleteOldDeliveries(test.database, 30, never)).toBe(2);
    expect((await all()).map(({ endpointId }) => endpointId)).toEqual([endpoint.id]);
  });
});

describe('another organization', () => {
  it('hears of nothing, and finds neither endpoints nor deliveries', async () => {
    const endpoint = await make();
    const theirs = await makeEndpoint(other.client, other.path, receiver.url('theirs'));
    await ring();
    await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['delivered']);
    const [delivery] = await deliveries(endpoint);
    expect(receiver.received.map((each) => each.path)).toEqual(['/']);
    expect(await deliveriesTo(other.client, other.path, theirs)).toEqual([]);
    expect(await deliveriesTo(other.client, other.path, endpoint)).toEqual([]);
    const codes = [];
    for (const url of [
      `webhook-endpoints/${endpoint.id}/rotate`,
      `webhook-endpoints/${endpoint.id}/ping`,
      `webhook-deliveries/${delivery?.id}/resend`,
    ]) {
      codes.push((await other.client.post(`${other.path}/${url}`, {})).json().code);
    }
    const read = await other.client.get(`${other.path}/webhook-deliveries/${delivery?.id}`);
    expect([...codes, read.json().code]).toEqual([
      'webhook_endpoint_not_found',
      'webhook_endpoint_not_found',
      'webhook_delivery_not_found',
      'webhook_delivery_not_found',
    ]);
    expect(receiver.received).toHaveLength(1);
  });
});

it('the commands in docs/webhooks.md do what they say', async () => {
  const page = readFileSync(new URL('../../../docs/webhooks.md', import.meta.url), 'utf8');
  const [, commands = ''] = /```sh\n(.*?)```/s.exec(page) ?? [];
  const organization = path.split('/').at(-1) ?? '';
  let [id, delivery] = ['', ''];
  const done: string[] = [];
  for (const line of commands.split('\n').filter((each) => each.startsWith('call '))) {
    const url = (/\$endpoints[^\s"]*|http:[^\s"]*/.exec(line)?.[0] ?? '')
      .replace('$endpoints', `${path}/webhook-endpoints`)
      .replace('http://localhost:3000', '')
      .replace('/acme/', `/${organization}/`)
      .replace('$id', id)
      .replace('$delivery', delivery);
    const [, body] = /--data '(.*?)'/.exec(line) ?? [];
    const payload = body
      ?.replace('https://example.com/hook', receiver.url())
      .replace(/(?<="eventTypes": \[")[^"]+/, bellRung.name);
    const method = /--request (\w+)/.exec(line)?.[1] ?? (body === undefined ? 'GET' : 'POST');
    const headers = {
      'content-type': 'application/json',
      ...(/if-match/.test(line) && { 'if-match': '*' }),
    };
    const response = await owner.send(method as 'GET', url, {
      headers,
      ...(payload && { payload }),
    });
    done.push(`${response.statusCode} ${method} ${url.split('/').at(-1)?.split('?')[0]}`);
    if (response.statusCode === 201) id = response.json<{ id: string }>().id;
    if (url.endsWith('/ping')) delivery = response.json<{ id: string }>().id;
    // Switched off it is sent nothing.
    if (method === 'PATCH') await patch({ id }, { isEnabled: true });
  }
  expect(done.map((each) => each.replace(id, 'ID'))).toEqual([
    '201 POST webhook-endpoints',
    '200 GET webhook-endpoints',
    '202 POST ping',
    '200 POST rotate',
    '200 PATCH ID',
    '200 GET webhook-deliveries',
    '202 POST resend',
  ]);
});

it('an endpoint whose address has become a private one is told of nothing', async () => {
  const endpoint = await make();
  // As if it had been accepted before, or its name led somewhere else now.
  await run(`update webhook_endpoints set url = 'http://[::1]:${receiver.port}/'`);
  await ring();
  await expect.poll(() => statuses(endpoint), PATIENCE).toEqual(['address_not_public']);
  expect(receiver.received).toEqual([]);
});
