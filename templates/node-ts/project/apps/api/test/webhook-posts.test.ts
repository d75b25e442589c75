import type { lookup } from 'node:dns';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AddressGuard, isNetwork } from '../src/modules/webhooks/addresses.ts';
import { acceptUrl } from '../src/modules/webhooks/endpoint-url.ts';
import { LIMITS, type Limits, post } from '../src/modules/webhooks/post.ts';
import { nextAttempt, readRetryAfter } from '../src/modules/webhooks/retries.ts';
import { newSecret, SecretBox, signatures } from '../src/modules/webhooks/secrets.ts';
import { Receiver } from './support/receiver.ts';

const strict = new AddressGuard([]);
const local = new AddressGuard(['127.0.0.0/8']);
const NEVER = new AbortController().signal;

let receiver: Receiver;
beforeAll(async () => {
  receiver = await Receiver.start();
});
beforeEach(() => receiver.reset());
afterAll(() => receiver.close());

interface Options {
  readonly guard?: AddressGuard;
  readonly limits?: Partial<Limits>;
  readonly resolve?: typeof lookup;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

const send = (url: string, { guard = local, limits, ...options }: Options = {}) =>
  post({
    url,
    headers: {},
    body: '{}',
    signal: NEVER,
    guard,
    ...options,
    limits: { ...LIMITS, ...limits },
  });

/** A resolver that gives one answer after the other. */
function namesLeadTo(...answers: readonly string[][]) {
  const asked: string[] = [];
  const resolve = ((name: string, _options: unknown, callback: (...all: unknown[]) => void) => {
    const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(name);
    process.nextTick(
      callback,
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  }) as unknown as typeof lookup;
  return { resolve, asked };
}

describe('the guard of addresses', () => {
  it.each([
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '127.8.8.8',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:169.254.169.254',
    '::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b::169.254.169.254',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:0:7f00:1::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    'fc00::1',
    'fd00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '5f00::1',
  ])('refuses %s', (address) => {
    expect(strict.allows(address)).toBe(false);
  });

  it.each([
    '1.1.1.1',
    '172.15.0.1',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700:4700::1111',
    '2a00::1',
  ])('lets %s through', (address) => expect(strict.allows(address)).toBe(true));

  it('lets through what is listed, and nothing beside it', () => {
    const guard = new AddressGuard(['10.1.0.0/16', 'fd12::/16']);
    const addresses = [
      '10.1.2.3',
      '10.2.0.1',
      '::ffff:10.1.2.3',
      'fd12::1',
      'fd13::1',
      '127.0.0.1',
    ];
    expect(addresses.map((address) => guard.allows(address))).toEqual([
      true,
      false,
      true,
      true,
      false,
      false,
    ]);
  });

  it('knows networks', () => {
    const texts = [
      '10.0.0.0/8',
      '::1/128',
      '10.0.0.0',
      '10.0.0.0/33',
      '10.0.0.0/8/8',
      'x/8',
      '::/129',
    ];
    expect(texts.map(isNetwork)).toEqual([true, true, false, false, false, false, false]);
  });
});

describe('a URL', () => {
  const development = { guard: strict, isProduction: false };
  const production = { guard: strict, isProduction: true };

  it.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://0x7f.1/',
    'http://127.0.0.1./',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[64:ff9b::127.0.0.1]/',
    'http://[fd00:ec2::254]/',
    'http://169.254.169.254/latest/meta-data',
    'http://0/',
    'http://%31%32%37.0.0.1/',
    'https://user:password@example.com/',
    'https://user@example.com/',
    'https://example.com:22/',
    'https://example.com:25/',
    'https://example.com:0/',
    'http://',
    'https://exa mple.com/',
    'https://example.com:99999/',
  ])('%s is refused', (url) => {
    expect(() => acceptUrl(url, development)).toThrow(
      expect.objectContaining({ code: 'webhook_url_refused' }),
    );
  });

  it('must be https in production', () => {
    expect(() => acceptUrl('http://example.com/', production)).toThrow('https');
    expect(acceptUrl('http://example.com/', development)).toBe('http://example.com/');
  });

  it('is kept in one spelling, without what is not sent', () => {
    expect(acceptUrl('https://EXAMPLE.com:443/a?b#c', production)).toBe('https://example.com/a?b');
    expect(acceptUrl('https://example.com:8443', production)).toBe('https://example.com:8443/');
    expect(acceptUrl('https://16843009/', production)).toBe('https://1.1.1.1/');
  });
});

describe('a message', () => {
  it('is verified by the official library, with either secret while one follows the other', async () => {
    const [old, secret] = [newSecret(), newSecret()];
    const body = JSON.stringify({ type: 'bell.rung', data: { text: 'ä€😀' } });
    const timestamp = Math.floor(Date.now() / 1_000);
    await send(receiver.url(), {
      body,
      headers: {
        'webhook-id': 'msg_1',
        'webhook-timestamp': String(timestamp),
        'webhook-signature': signatures([secret, old], { id: 'msg_1', timestamp, body }),
      },
    });
    const [received] = receiver.received;
    const headers = received?.headers as Record<string, string>;
    for (const each of [old, secret]) {
      expect(new Webhook(each).verify(received?.body ?? '', headers)).toEqual(JSON.parse(body));
    }
    expect(() => new Webhook(newSecret()).verify(body, headers)).toThrow();
    expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow();
    expect(() => new Webhook(secret).verify(body, { ...headers, 'webhook-id': 'msg_2' })).toThrow();
  });

  it.each(['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '[::1]', '2130706433'])(
    'does not get to %s',
    async (host) => {
      const answer = await send(`http://${host}:${receiver.port}/`, { guard: strict });
      expect(answer).toMatchObject({ status: null, error: 'address_not_public' });
      expect(receiver.received).toEqual([]);
    },
  );

  it('does not get to a private address by a name, be it one of several', async () => {
    const { resolve } = namesLeadTo(['127.0.0.1'], ['127.0.0.1', 'fd00::1', '::ffff:127.0.0.1']);
    for (let time = 0; time < 2; time += 1) {
      const answer = await send(`http://inner.example:${receiver.port}/`, {
        guard: strict,
        resolve,
      });
      expect(answer.error).toBe('address_not_public');
    }
    const mixed = new AddressGuard(['127.0.0.1/32']);
    const { resolve: both } = namesLeadTo(['127.0.0.2', '127.0.0.1']);
    const answer = await send(`http://mixed.example:${receiver.port}/`, {
      guard: mixed,
      resolve: both,
    });
    expect(answer.status).toBe(204);
  });

  it('is sent to the address that was looked at: a name is asked for once', async () => {
    const guard = new AddressGuard(['127.0.0.1/32']);
    const { resolve, asked } = namesLeadTo(['127.0.0.1'], ['127.0.0.2']);
    const url = `http://rebinding.example:${receiver.port}/`;
    expect((await send(url, { guard, resolve })).status).toBe(204);
    expect(asked).toEqual(['rebinding.example']);
    expect((await send(url, { guard, resolve })).error).toBe('address_not_public');
    expect(receiver.received).toHaveLength(1);
  });

  it.each([301, 302, 303, 307, 308])('follows no redirect (%i)', async (status) => {
    receiver.reply = (response) =>
      response.writeHead(status, { location: receiver.url('other') }).end();
    expect(await send(receiver.url())).toMatchObject({ status, error: 'redirect' });
    expect(receiver.received).toHaveLength(1);
  });

  it.each([
    [200, null],
    [299, null],
    [400, 'status'],
    [410, 'gone'],
    [500, 'status'],
  ])('answered with %i has the error %s', async (status, error) => {
    receiver.reply = (response) => response.writeHead(status).end('x');
    expect(await send(receiver.url())).toMatchObject({ status, error });
  });

  it('waits for no headers for ever', async () => {
    receiver.reply = () => undefined;
    expect(await send(receiver.url(), { limits: { headersMs: 50 } })).toEqual({
      status: null,
      error: 'timeout',
    });
  });

  it('has its answer with the headers, however slow the rest comes, and how much of it', async () => {
    receiver.reply = (response) => void response.writeHead(200).write('x');
    expect((await send(receiver.url(), { limits: { wholeMs: 300 } })).status).toBe(200);
    const sent: number[] = [];
    receiver.reply = (response) => {
      const more = () => {
        sent.push(16_384);
        if (!response.destroyed) response.write('x'.repeat(16_384), () => setImmediate(more));
      };
      response.writeHead(200);
      more();
    };
    expect((await send(receiver.url())).status).toBe(200);
    expect(sent.length).toBeGreaterThan(3);
  });

  it('takes no headers without end', async () => {
    receiver.reply = (response) => response.writeHead(200, { long: 'x'.repeat(20_000) }).end();
    expect(await send(receiver.url())).toMatchObject({ status: null, error: 'connection_lost' });
  });

  it('tells by a class what went wrong', async () => {
    const mute = createServer().listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port } = mute.address() as { port: number };
    const tls = await send(`https://127.0.0.1:${port}/`, { limits: { connectMs: 50 } });
    expect(tls.error).toBe('timeout');
    mute.close();
    expect((await send(`https://127.0.0.1:${receiver.port}/`)).error).toBe('tls');
    receiver.reply = (response) => response.destroy();
    expect((await send(receiver.url())).error).toBe('connection_lost');
    expect((await send(`http://127.0.0.1:${port}/`)).error).toBe('unreachable');
    const nobody = ((_name: string, _options: unknown, callback: (error: Error) => void) =>
      callback(
        Object.assign(new Error('not found'), { code: 'ENOTFOUND' }),
      )) as unknown as typeof lookup;
    expect((await send('http://nobody.example/', { resolve: nobody })).error).toBe(
      'name_not_found',
    );
  });

  it('that its job gives up is not the failure of the receiver', async () => {
    const controller = new AbortController();
    receiver.reply = () => controller.abort(new Error('stopping'));
    const sending = post({
      url: receiver.url(),
      headers: {},
      body: '',
      guard: local,
      limits: LIMITS,
      signal: controller.signal,
    });
    await expect(sending).rejects.toThrow('stopping');
  });
});

describe('a secret at rest', () => {
  it('is opened by the same AUTH_SECRET for the same endpoint alone, and tells nothing', () => {
    const [box, other] = [new SecretBox('a'.repeat(32)), new SecretBox('b'.repeat(32))];
    const secret = newSecret();
    const sealed = box.seal(secret, 'one');
    expect(box.open(sealed, 'one')).toBe(secret);
    expect(box.seal(secret, 'one')).not.toBe(sealed);
    expect([
      box.open(sealed, 'two'),
      other.open(sealed, 'one'),
      box.open(`A${sealed}`, 'one'),
    ]).toEqual([undefined, undefined, undefined]);
    expect(box.open('', 'one')).toBeUndefined();
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-02T03:04:05Z');
  it.each([
    ['120', '2026-01-02T03:06:05.000Z'],
    ['Fri, 02 Jan 2026 03:10:00 GMT', '2026-01-02T03:10:00.000Z'],
    ['999999999999', '2026-01-03T03:04:05.000Z'],
    ['Fri, 02 Jan 2099 03:10:00 GMT', '2026-01-03T03:04:05.000Z'],
  ])('%s is %s', (header, expected) => {
    expect(readRetryAfter(header, now)?.toISOString()).toBe(expected);
  });

  it.each([
    undefined,
    '',
    '0',
    '-5',
    '1.5',
    '1e9',
    'soon',
    '2026-01-02',
    'Thu, 01 Jan 2026 03:10:00 GMT',
    'Xxx, nonsense GMT',
  ])('%s is none', (header) => expect(readRetryAfter(header, now)).toBeNull());
});

describe('pauses', () => {
  it('grow, are a little longer than they must be, obey the receiver, and end', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(
      (made) => (nextAttempt(made, null)?.getTime() ?? 0) - Date.now(),
    );
    expect(waits).toEqual(waits.toSorted((one, other) => one - other));
    expect(waits[0]).toBeGreaterThan(4_000);
    expect(nextAttempt(10, null)).toBeUndefined();
    const wish = new Date(Date.now() + 3_600_000);
    expect(nextAttempt(1, wish)).toEqual(wish);
  });
});
