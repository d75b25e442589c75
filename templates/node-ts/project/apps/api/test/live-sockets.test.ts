import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey } from './support/api-keys.ts';
import { addMember, ORIGIN, signUpOwner, startApp, type TestApp } from './support/app.ts';
import { hears, PATIENCE, Talking, tellOf } from './support/listening.ts';

let test: TestApp;
let base: string;
let red: Awaited<ReturnType<typeof signUpOwner>>;
const open: Talking[] = [];

beforeAll(async () => {
  test = await startApp({ env: { LIVE_BEAT_MS: '1000', LIVE_STREAMS_PER_USER: '3' } });
  await test.app.listen({ host: '127.0.0.1', port: 0 });
  base = `http://127.0.0.1:${(test.app.server.address() as AddressInfo).port}`;
  red = await signUpOwner(test.app, 'red');
  await signUpOwner(test.app, 'blue');
});
afterAll(async () => {
  for (const { socket } of open) socket.close();
  await test.close();
});

function talk({ query = '', path = red.path, headers = {} } = {}): Talking {
  const all = { cookie: red.client.cookie, origin: ORIGIN, ...headers };
  const talking = new Talking(`${base}${path}/events/socket${query}`, all);
  open.push(talking);
  return talking;
}

/** The answer to a request that asks for a WebSocket, or for something like it. */
async function upgrade(path: string, headers: Record<string, string>, body = '') {
  const request = httpRequest(`${base}${path}`, {
    agent: false,
    method: body ? 'POST' : 'GET',
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      cookie: red.client.cookie,
      origin: ORIGIN,
      ...headers,
    },
  });
  request.end(body);
  const response = await Promise.race([
    once(request, 'response').then(([message]) => message),
    once(request, 'upgrade').then(([message, socket]) => {
      socket.destroy();
      return message;
    }),
  ]);
  let text = '';
  if (response.statusCode !== 101) for await (const chunk of response) text += chunk;
  return { status: response.statusCode as number, text };
}

describe('a WebSocket', () => {
  it('says what the stream of events says, and goes on where another ended', async () => {
    const talking = talk();
    await hears(talking, 'reset');
    await tellOf(test.database, red.organizationId, 'written', { id: 1 });
    await hears(talking, 'reset', 'note.written');
    const last = talking.messages[1]?.sequence ?? 0;
    expect(talking.messages[1]).toMatchObject({ data: { id: 1 }, at: expect.any(String) });
    await tellOf(test.database, red.organizationId, 'read');
    const again = talk({ query: `?after=${last}` });
    await hears(again, 'note.read');
    for (const each of [talking, again]) each.socket.close();
    await expect.poll(() => [talking.code, again.code], PATIENCE).toEqual([1005, 1005]);
  });

  it('stays open while its client answers', async () => {
    const talking = talk();
    await hears(talking, 'reset');
    for (const count of [2, 3, 4, 5]) {
      await tellOf(test.database, red.organizationId, 'written');
      await expect.poll(() => talking.messages.length, PATIENCE).toBe(count);
    }
    expect(talking.code).toBeUndefined();
    talking.socket.close();
    await expect.poll(() => talking.code, PATIENCE).toBe(1005);
  });

  it('ends when its user is no member any more', async () => {
    const leaver = await addMember(test, red.client, 'leaver@example.com', 'viewer');
    const talking = talk({ headers: { cookie: leaver.cookie } });
    await hears(talking, 'reset');
    const body = { memberIdOrEmail: 'leaver@example.com' };
    await red.client.post('/api/auth/organization/remove-member', body);
    await expect.poll(() => talking.code, PATIENCE).toBe(1008);
  });

  it('ends when its client speaks, at once when that is long', async () => {
    for (const [text, code] of [
      ['hello', 1008],
      ['x'.repeat(2_000), 1009],
    ] as const) {
      const talking = talk();
      await hears(talking, 'reset');
      talking.socket.send(text);
      await expect.poll(() => talking.code, PATIENCE).toBe(code);
    }
  });

  it('is cut when nobody answers any more', async () => {
    const { port } = new URL(base);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      [
        `GET ${red.path}/events/socket HTTP/1.1`,
        'host: localhost',
        'connection: Upgrade',
        'upgrade: websocket',
        'sec-websocket-version: 13',
        'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
        `cookie: ${red.client.cookie}`,
        '\r\n',
      ].join('\r\n'),
    );
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    await once(socket, 'close', { signal: AbortSignal.timeout(60_000) });
    expect(text).toMatch(/^HTTP\/1\.1 101 /);
  });

  it('is one of the streams that one may have', async () => {
    const three = [talk(), talk(), talk()];
    for (const each of three) await hears(each, 'reset');
    const fourth = await upgrade(`${red.path}/events/socket`, {});
    expect(fourth).toMatchObject({
      status: 429,
      text: expect.stringContaining('too_many_streams'),
    });
    for (const { socket } of three) socket.close();
    const status = async () => (await upgrade(`${red.path}/events/socket`, {})).status;
    await expect.poll(status, PATIENCE).toBe(101);
  });
});

describe('an upgrade', () => {
  it.each([
    ['a page that we do not know', { origin: 'https://evil.example' }, 403],
    ['a page without an origin', { origin: 'null' }, 403],
    ['nobody', { cookie: '' }, 401],
    ['somebody with a version of their own', { 'sec-websocket-version': '1' }, 400],
  ])('by %s is refused', async (_who, headers, status) => {
    expect((await upgrade(`${red.path}/events/socket`, headers)).status).toBe(status);
  });

  it('to another organization is refused, and with an API key', async () => {
    const path = '/api/v1/organizations/blue/events/socket';
    expect((await upgrade(path, {})).status).toBe(404);
    const { secret } = await makeKey(red.client, red.path, { scopes: ['liveEvent:read'] });
    const byKey = { authorization: `Bearer ${secret}`, cookie: '' };
    expect((await upgrade(`${red.path}/events/socket`, byKey)).status).toBe(401);
  });

  it('is what a plain request there lacks', async () => {
    const response = await red.client.get(`${red.path}/events/socket`);
    expect([response.statusCode, response.headers.upgrade]).toEqual([426, 'websocket']);
  });

  it.each([
    ['/nowhere', {}, '', 404],
    ['/livez', {}, '', 200],
    ['/livez', { upgrade: 'h2c' }, '', 200],
    ['/api/auth/sign-out', { upgrade: 'h2c', 'content-type': 'application/json' }, '{}', 200],
  ])('at %s is answered as if nothing was offered', async (path, headers, body, status) => {
    expect((await upgrade(path, { cookie: '', ...headers }, body)).status).toBe(status);
  });
});
