import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { hashOf, newSecret } from '../src/auth/api-key-secret.ts';
import type { Database } from '../src/db/database.ts';
import { TENANT_ROLE } from '../src/db/tenant-role.ts';
import { askWith, makeKey, rotateKey } from './support/api-keys.ts';
import { addMember, type Client, signUpOwner, startApp, type TestApp } from './support/app.ts';
import { noteModule, READ_NOTES, WRITE_NOTES } from './support/notes.ts';

let test: TestApp;
let owner: Client;
let organizationId: string;
let path: string;
let url: string;

beforeAll(async () => {
  test = await startApp({ extraModules: [noteModule] });
  ({ client: owner, organizationId, path } = await signUpOwner(test.app, 'machines'));
  url = `${path}/test-notes`;
});
beforeEach(() => test.database.db.execute(sql`truncate api_keys, test_notes, idempotency_keys`));
afterAll(() => test.close());

const run = (statement: ReturnType<typeof sql>) =>
  test.database
    .withSettings({ 'app.organization_id': organizationId }, (tx) => tx.execute(statement))
    .then(({ rows }) => rows);
const create = (key: { secret: string }, name: string, headers: Record<string, string> = {}) =>
  askWith(test.app, key, url, { method: 'POST', payload: { name }, headers });
/** What stays of an answer without what is its own. */
const told = (response: { headers: object; json(): object }) => {
  const own = /^(?:date|x-request-id|x-ratelimit-.*)$/;
  const headers = Object.entries(response.headers).filter(([name]) => !own.test(name));
  return { headers, problem: { ...response.json(), requestId: '' } };
};

describe('a program with a key', () => {
  it('asks for the organization of the key, by its id or its slug', async () => {
    const key = await makeKey(owner, path);
    for (const each of [url, url.replace('machines', organizationId)]) {
      expect((await askWith(test.app, key, each)).statusCode).toBe(200);
      expect((await askWith(test.app, key, each, { method: 'HEAD' })).statusCode).toBe(200);
    }
  });

  it('finds no other organization, be it there or not', async () => {
    const key = await makeKey(owner, path, { scopes: [READ_NOTES, WRITE_NOTES] });
    const other = await signUpOwner(test.app, 'others');
    for (const organization of ['others', other.organizationId, 'nowhere', '%00', 'machines%00']) {
      const response = await askWith(test.app, key, url.replace('machines', organization));
      expect(response.json()).toMatchObject({ status: 404, code: 'organization_not_found' });
    }
  });

  it('may do what the key is for, and nothing else', async () => {
    const key = await makeKey(owner, path, { scopes: [WRITE_NOTES] });
    expect((await create(key, 'Apollo')).statusCode).toBe(201);
    const read = await askWith(test.app, key, url);
    expect(read.json()).toMatchObject({
      status: 403,
      code: 'forbidden',
      detail: 'This API key does not allow testNote:read',
    });
  });

  it('cannot send a session, too', async () => {
    const key = await makeKey(owner, path);
    const headers = { cookie: owner.cookie };
    const response = await askWith(test.app, key, url, { headers });
    expect(response.json()).toMatchObject({ status: 400, code: 'two_credentials' });
  });

  it('manages no keys', async () => {
    const key = await makeKey(owner, path);
    const response = await askWith(test.app, key, `${path}/api-keys`);
    expect(response.json()).toMatchObject({ status: 401, code: 'session_required' });
  });

  it('has Idempotency-Keys of its own', async () => {
    const key = await makeKey(owner, path, { scopes: [WRITE_NOTES] });
    const headers = { 'idempotency-key': 'a' };
    const byUser = await owner.send('POST', url, { payload: { name: 'Apollo' }, headers });
    expect(byUser.statusCode).toBe(201);
    const byKey = await create(key, 'Gemini', headers);
    expect([byKey.statusCode, byKey.json().name]).toEqual([201, 'Gemini']);
    expect((await create(key, 'Gemini', headers)).body).toBe(byKey.body);
  });

  it('is told apart in the log, which holds neither secret nor hash', async () => {
    const key = await makeKey(owner, path);
    const seen = test.logs.length;
    await askWith(test.app, key, url);
    await askWith(test.app, key, url.replace('machines', 'nowhere'));
    await askWith(test.app, key, url, { method: 'POST', payload: {} });
    await test.database.db.execute(sql`alter function find_api_key rename to lost`);
    expect((await askWith(test.app, key, url)).statusCode).toBe(500);
    await test.database.db.execute(sql`alter function lost rename to find_api_key`);
    const lines = test.logs.slice(seen);
    const known = lines.filter(({ msg }) => msg === 'request completed').slice(0, 3);
    for (const line of known) {
      expect(line).toMatchObject({ apiKeyId: key.id, organizationId, userId: key.madeBy });
    }
    expect(known).toHaveLength(3);
    const text = JSON.stringify(lines);
    for (const each of [key.secret, hashOf(key.secret)]) expect(text).not.toContain(each);
  });
});

describe('a key that is not one', () => {
  it.each([
    ['empty', 'Bearer'],
    ['blank', 'bearer '],
    ['short', 'Bearer x'],
    ['of two words', `Bearer ${newSecret().text} ${newSecret().text}`],
    ['with an umlaut', `Bearer ${newSecret().text}ä`],
    ['with NUL', `Bearer ${newSecret().text}\0`],
    ['long', `Bearer ${'x'.repeat(4_000)}`],
    ['one that never was', `Bearer ${newSecret().text}`],
  ])('is refused: %s', async (_, authorization) => {
    const response = await test.app.inject({ url, headers: { authorization } });
    expect(response.json()).toMatchObject({ status: 401, code: 'invalid_api_key' });
    expect(response.headers['www-authenticate']).toBe('Bearer error="invalid_token"');
  });

  it('is told the same as one that has expired or was revoked', async () => {
    const unknown = told(await askWith(test.app, { secret: newSecret().text }, url));
    const key = await makeKey(owner, path, { expiresInDays: 1 });
    await run(sql`update api_keys set expires_at = now() - interval '1 second'`);
    expect(told(await askWith(test.app, key, url))).toEqual(unknown);
    await owner.send('DELETE', `${path}/api-keys/${key.id}`);
    expect(told(await askWith(test.app, key, url))).toEqual(unknown);
    expect(told(await askWith(test.app, key, url.replace('machines', 'nowhere')))).toEqual(unknown);
  });

  it('is not looked for in other schemes, which proxies may use', async () => {
    const headers = { authorization: 'Basic YTpi' };
    expect((await owner.send('GET', url, { headers })).statusCode).toBe(200);
    const { secret } = await makeKey(owner, path);
    const basic = { authorization: `Basic ${secret}` };
    expect((await test.app.inject({ url, headers: basic })).json().code).toBe('unauthenticated');
  });

  it('may be tried a few times a minute from one address, and the same one at will', async () => {
    const key = await makeKey(owner, path);
    const env = { AUTH_RATE_LIMIT_MAX: '2' };
    const limited = await startApp({ database: test.database, env, extraModules: [noteModule] });
    const from = (remoteAddress: string, secret: string) =>
      askWith(limited.app, { secret }, url, { remoteAddress });
    const past = newSecret().text;
    for (let count = 0; count < 4; count += 1) {
      expect((await from('10.0.0.1', past)).statusCode).toBe(401);
    }
    expect((await from('10.0.0.1', key.secret)).statusCode).toBe(200);
    expect((await from('10.0.0.1', newSecret().text)).statusCode).toBe(401);
    const response = await from('10.0.0.1', key.secret);
    expect(response.json()).toMatchObject({ status: 429, code: 'too_many_attempts' });
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(response.headers['retry-after'])).toBeLessThanOrEqual(60);
    expect((await from('10.0.0.2', key.secret)).statusCode).toBe(200);
    const now = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 61_000);
    expect((await from('10.0.0.1', key.secret)).statusCode).toBe(200);
    now.mockRestore();
    await limited.app.close();
  });
});

describe('whoever made a key', () => {
  const full = async <Whole>() =>
    (await owner.get('/api/auth/organization/get-full-organization')).json<Whole>();
  const memberId = async (userId: string | null) => {
    const { members } = await full<{ members: { id: string; userId: string }[] }>();
    return members.find((each) => each.userId === userId)?.id;
  };

  it('and is an admin no more has given it what they may still do', async () => {
    const admin = await addMember(test, owner, 'demoted@example.com', 'admin');
    const key = await makeKey(admin, path, { scopes: [READ_NOTES, WRITE_NOTES] });
    expect((await create(key, 'Apollo')).statusCode).toBe(201);
    const change = { memberId: await memberId(key.madeBy), role: 'viewer' };
    await owner.post('/api/auth/organization/update-member-role', change);
    expect((await askWith(test.app, key, url)).statusCode).toBe(200);
    expect((await create(key, 'Gemini')).json()).toMatchObject({ status: 403, code: 'forbidden' });
  });

  it('and has left takes its secrets along; who rotates it answers for the new one', async () => {
    const admin = await addMember(test, owner, 'leaving@example.com', 'admin');
    const key = await makeKey(admin, path);
    await admin.post('/api/auth/organization/leave', { organizationId });
    expect((await askWith(test.app, key, url)).json().code).toBe('invalid_api_key');
    const taken = await rotateKey(owner, path, key);
    expect(taken.madeBy).not.toBe(key.madeBy);
    expect((await askWith(test.app, taken, url)).statusCode).toBe(200);
    // Its time is not over, but whom it was shown to has no business here.
    expect(taken.previousSecretUntil).not.toBeNull();
    expect((await askWith(test.app, key, url)).json().code).toBe('invalid_api_key');
  });

  it('and has no account any more leaves a key that others can take over', async () => {
    const admin = await addMember(test, owner, 'deleted@example.com', 'admin');
    const key = await makeKey(admin, path);
    await test.database.db.execute(sql`delete from users where id = ${key.madeBy}`);
    expect((await askWith(test.app, key, url)).statusCode).toBe(401);
    const taken = await rotateKey(owner, path, key);
    expect((await askWith(test.app, taken, url)).statusCode).toBe(200);
  });
});

describe('the use of a key', () => {
  const lastUse = async () =>
    (await run(sql`select last_used_at as at, xmin::text as version from api_keys`))[0];
  const isNoted = () => vi.waitFor(async () => expect((await lastUse())?.at).not.toBeNull());

  it('is noted once a minute', async () => {
    let transactions = 0;
    const withSettings: Database['withSettings'] = (...args) => {
      transactions += 1;
      return test.database.withSettings(...args);
    };
    const database = { ...test.database, withSettings };
    const counted = await startApp({ database, extraModules: [noteModule] });
    const key = await makeKey(owner, path);
    const ask = async () => expect((await askWith(counted.app, key, url)).statusCode).toBe(200);
    expect(await lastUse()).toMatchObject({ at: null });
    await Promise.all([ask(), ask(), ask()]);
    await isNoted();
    const first = await lastUse();
    transactions = 0;
    await Promise.all([ask(), ask(), ask()]);
    // One each, for the list.
    expect(transactions).toBe(3);
    expect(await lastUse()).toEqual(first);
    await run(sql`update api_keys set last_used_at = now() - interval '61 seconds'`);
    const aged = await lastUse();
    await ask();
    await vi.waitFor(async () => expect(await lastUse()).not.toEqual(aged));
    await counted.app.close();
  });

  it('is not waited for, but by a server that stops', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let first = true;
    const withSettings: Database['withSettings'] = async (...args) => {
      const isNote = first;
      first = false;
      if (isNote) await gate;
      return test.database.withSettings(...args);
    };
    const database = { ...test.database, withSettings };
    const { app } = await startApp({ database, extraModules: [noteModule] });
    const key = await makeKey(owner, path);
    expect((await askWith(app, key, url)).statusCode).toBe(200);
    expect(await lastUse()).toMatchObject({ at: null });
    let isClosed = false;
    const closed = app.close().then(() => {
      isClosed = true;
    });
    await sleep(200);
    expect(isClosed).toBe(false);
    open();
    await closed;
    expect(await lastUse()).not.toMatchObject({ at: null });
  });
});

describe('without an organization', () => {
  const seen = (settings: Record<string, string>) =>
    test.database
      .withSettings({ ...settings, role: TENANT_ROLE }, (tx) =>
        tx.execute(sql`select id from api_keys`),
      )
      .then(({ rows }) => rows);

  it('PostgreSQL shows a key to whoever has its secret, and no other', async () => {
    const key = await makeKey(owner, path);
    await makeKey(owner, path);
    const rotated = await rotateKey(owner, path, key);
    expect(await seen({})).toEqual([]);
    for (const { secret } of [key, rotated]) {
      expect(await seen({ 'app.api_key_hash': hashOf(secret) })).toEqual([{ id: key.id }]);
    }
    expect(await seen({ 'app.api_key_hash': '' })).toEqual([]);
  });
});
