import type { ApiKey, ApiKeyWithSecret } from '@app/contracts';
import { type SQL, sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withTenant } from '../src/db/tenant.ts';
import { permissions } from '../src/modules/permissions.ts';
import { askWith, makeKey, rotateKey } from './support/api-keys.ts';
import { addMember, type Client, signUpOwner, startApp, type TestApp } from './support/app.ts';
import { noteModule, READ_NOTES, WRITE_NOTES } from './support/notes.ts';

let test: TestApp;
let owner: Client;
let admin: Client;
let organizationId: string;
let path: string;

beforeAll(async () => {
  test = await startApp({ extraModules: [noteModule] });
  ({ client: owner, organizationId, path } = await signUpOwner(test.app, 'keys'));
  admin = await addMember(test, owner, 'admin@example.com', 'admin');
});
beforeEach(() => test.database.db.execute(sql`truncate api_keys`));
afterAll(() => test.close());

const list = async (query = '') =>
  (await owner.get(`${path}/api-keys${query}`)).json<{
    items: ApiKey[];
    nextCursor: string | null;
  }>();
const run = async (statement: SQL) =>
  (await withTenant(test.database, organizationId, (tx) => tx.execute(statement))).rows;
const status = async (key: ApiKeyWithSecret) =>
  (await askWith(test.app, key, `${path}/test-notes`)).statusCode;
const refusal = async (client: Client, url: string, payload: object) => {
  const response = await client.post(`${path}/api-keys${url}`, payload);
  return [response.statusCode, response.json().code];
};

describe('a key', () => {
  it('shows its secret to whoever makes it, once, and leaves nothing to find it by', async () => {
    const { secret, ...key } = await makeKey(owner, path, { name: 'nightly', expiresInDays: 30 });
    expect(secret).toMatch(/^app_key_[0-9a-f]{64}$/);
    expect(key).toMatchObject({
      name: 'nightly',
      preview: `app_key_...${secret.slice(-4)}`,
      scopes: [READ_NOTES],
      lastUsedAt: null,
      previousSecretUntil: null,
    });
    const days = (Date.parse(String(key.expiresAt)) - Date.parse(key.createdAt)) / 86_400_000;
    expect(days).toBeCloseTo(30, 1);
    expect(await list()).toEqual({ items: [key], nextCursor: null });
    const [row] = await run(sql`select to_jsonb(k) as whole from api_keys k`);
    const [bare = ''] = secret.split('_').slice(-1);
    expect(JSON.stringify(row)).not.toContain(bare);
  });

  it('never shows a hash', async () => {
    const key = await makeKey(owner, path);
    const rotated = await rotateKey(owner, path, key);
    const rows = await run(sql`select hash, previous_hash from api_keys`);
    const hashes = rows.flatMap((row) => Object.values(row)).map(String);
    expect(hashes).toHaveLength(2);
    const seen = JSON.stringify([key, rotated, await list()]);
    for (const hash of hashes) expect(seen).not.toContain(hash);
  });

  it('is listed in pages, newest first', async () => {
    for (const name of ['one', 'two', 'three']) await makeKey(owner, path, { name });
    const first = await list('?limit=2');
    const second = await list(`?limit=2&cursor=${first.nextCursor}`);
    const names = [...first.items, ...second.items].map(({ name }) => name);
    expect([names, second.nextCursor]).toEqual([['three', 'two', 'one'], null]);
  });

  it('has a name of its own, at least one scope, and only those that there are', async () => {
    await makeKey(owner, path, { name: 'nightly' });
    const key = { name: 'nightly', scopes: [READ_NOTES] };
    expect(await refusal(owner, '', key)).toEqual([409, 'name_taken']);
    for (const scopes of [
      [],
      ['testNote:fly'],
      ['nothing'],
      ['toString:length'],
      ['apiKey:read'],
      ['member:create'],
    ]) {
      expect(await refusal(owner, '', { ...key, name: 'x', scopes })).toEqual([
        400,
        'invalid_request',
      ]);
    }
  });

  it('ends for good when it is revoked', async () => {
    const key = await makeKey(owner, path);
    expect(await status(key)).toBe(200);
    const revoke = () => owner.send('DELETE', `${path}/api-keys/${key.id}`);
    expect((await revoke()).statusCode).toBe(204);
    expect(await status(key)).toBe(401);
    expect((await revoke()).json()).toMatchObject({ status: 404, code: 'api_key_not_found' });
    expect(await refusal(owner, `/${key.id}/rotate`, {})).toEqual([404, 'api_key_not_found']);
  });

  it('goes with its organization', async () => {
    const gone = await signUpOwner(test.app, 'gone');
    const key = await makeKey(gone.client, gone.path);
    const body = { organizationId: gone.organizationId };
    expect((await gone.client.post('/api/auth/organization/delete', body)).statusCode).toBe(200);
    const response = await askWith(test.app, key, `${gone.path}/test-notes`);
    expect(response.json()).toMatchObject({ status: 401, code: 'invalid_api_key' });
  });
});

describe('a key that is rotated', () => {
  it('has two secrets for as long as was asked for', async () => {
    const old = await makeKey(owner, path);
    const key = await rotateKey(owner, path, old, { graceSeconds: 3_600 });
    expect(key).toMatchObject({ id: old.id, name: old.name, scopes: old.scopes });
    expect(key.secret).not.toBe(old.secret);
    const left = Date.parse(String(key.previousSecretUntil)) - Date.now();
    expect(left / 3_600_000).toBeCloseTo(1, 1);
    expect([await status(old), await status(key)]).toEqual([200, 200]);
    await run(sql`update api_keys set previous_until = now() - interval '1 second'`);
    expect([await status(old), await status(key)]).toEqual([401, 200]);
    expect((await list()).items[0]?.previousSecretUntil).toBeNull();
  });

  it('keeps the old secret for a day, unless it is to end at once', async () => {
    const old = await makeKey(owner, path);
    const key = await rotateKey(owner, path, old);
    const left = Date.parse(String(key.previousSecretUntil)) - Date.now();
    expect(left / 3_600_000).toBeCloseTo(24, 1);
    const third = await rotateKey(owner, path, old, { graceSeconds: 0 });
    expect(await Promise.all([old, key, third].map(status))).toEqual([401, 401, 200]);
  });

  it('has no third one', async () => {
    const first = await makeKey(owner, path);
    const second = await rotateKey(owner, path, first);
    const third = await rotateKey(owner, path, first);
    expect(await Promise.all([first, second, third].map(status))).toEqual([401, 200, 200]);
  });

  it('lets no secret live longer than it was to', async () => {
    const old = await makeKey(owner, path, { expiresInDays: 1 });
    const week = { graceSeconds: 604_800, expiresInDays: 90 };
    const key = await rotateKey(owner, path, old, week);
    expect(key.previousSecretUntil).toBe(old.expiresAt);
    expect(Date.parse(String(key.expiresAt))).toBeGreaterThan(Date.now() + 80 * 86_400_000);
    const again = await rotateKey(owner, path, key);
    expect(again.expiresAt).toBe(key.expiresAt);
  });

  it('lives again after its end only where that is asked for, without its old secret', async () => {
    const old = await makeKey(owner, path, { expiresInDays: 1 });
    await run(sql`update api_keys set expires_at = now() - interval '1 second'`);
    expect(await refusal(owner, `/${old.id}/rotate`, {})).toEqual([409, 'api_key_expired']);
    const key = await rotateKey(owner, path, old, { expiresInDays: 1 });
    expect([await status(old), await status(key)]).toEqual([401, 200]);
  });
});

describe('keys', () => {
  it.each(['member', 'viewer'])('are nothing for a %s', async (role) => {
    const client = await addMember(test, owner, `${role}@example.com`, role);
    const { id } = await makeKey(owner, path);
    const key = { name: 'mine', scopes: [READ_NOTES] };
    expect(await refusal(client, '', key)).toEqual([403, 'forbidden']);
    expect(await refusal(client, `/${id}/rotate`, {})).toEqual([403, 'forbidden']);
    expect((await client.get(`${path}/api-keys`)).statusCode).toBe(403);
    expect((await client.send('DELETE', `${path}/api-keys/${id}`)).statusCode).toBe(403);
    expect((await list()).items).toHaveLength(1);
  });

  it('are given nothing that their makers may not do themselves', async () => {
    const key = await makeKey(owner, path, { scopes: [WRITE_NOTES] });
    const { testNote } = permissions as unknown as { testNote: { write: readonly string[] } };
    const before = testNote.write;
    testNote.write = ['owner'];
    try {
      const more = { name: 'more', scopes: [READ_NOTES, WRITE_NOTES] };
      expect(await refusal(admin, '', more)).toEqual([403, 'scope_not_yours']);
      expect(await refusal(admin, `/${key.id}/rotate`, {})).toEqual([403, 'scope_not_yours']);
      await makeKey(owner, path, more);
    } finally {
      testNote.write = before;
    }
    expect((await list()).items).toHaveLength(2);
    expect((await askWith(test.app, key, `${path}/test-notes`)).statusCode).toBe(403);
  });

  it('are a hundred at most, even where many are made at once', async () => {
    await run(sql`insert into api_keys (name, scopes, hash, preview)
      select n::text, '{}', n::text, '' from generate_series(1, 90) n`);
    const key = (n: number) => ({ name: `at once ${n}`, scopes: [READ_NOTES] });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => refusal(owner, '', key(n))),
    );
    const refused = answers.filter(([code]) => code === 409);
    expect(refused).toEqual(Array(10).fill([409, 'too_many_api_keys']));
    expect(await run(sql`select count(*)::int as count from api_keys`)).toEqual([{ count: 100 }]);
  });

  it('are taken away a month after their end, by the next', async () => {
    for (const name of ['old', 'recent']) await makeKey(owner, path, { name, expiresInDays: 1 });
    await run(sql`update api_keys set expires_at = now() - case name
      when 'old' then interval '31 days' else interval '29 days' end`);
    await makeKey(owner, path, { name: 'new' });
    expect((await list()).items.map(({ name }) => name)).toEqual(['new', 'recent']);
  });

  it('are told of in the log when they are made, rotated and revoked', async () => {
    const key = await makeKey(owner, path);
    await rotateKey(owner, path, key);
    await owner.send('DELETE', `${path}/api-keys/${key.id}`);
    const told = test.logs.filter(
      (line) => (line.key as { id?: string } | undefined)?.id === key.id,
    );
    expect(told.map(({ msg }) => msg)).toEqual([
      'API key made',
      'API key rotated',
      'API key revoked',
    ]);
    for (const line of told) expect(line).toMatchObject({ organizationId, userId: key.madeBy });
  });
});
