import { type SQL, sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withTenant } from '../src/db/tenant.ts';
import { addMember, type Client, signUpOwner, startApp, type TestApp } from './support/app.ts';
import { noteModule } from './support/notes.ts';

let test: TestApp;
let owner: Client;
let organizationId: string;
let path: string;

beforeAll(async () => {
  test = await startApp({ extraModules: [noteModule] });
  const made = await signUpOwner(test.app, 'once');
  owner = made.client;
  organizationId = made.organizationId;
  path = `${made.path}/test-notes`;
});
beforeEach(() => test.database.db.execute(sql`truncate test_notes, idempotency_keys`));
afterAll(() => test.close());

const create = (name: string, key?: string, { client = owner, url = path } = {}) =>
  client.send('POST', url, {
    payload: { name },
    headers: key === undefined ? {} : { 'idempotency-key': key },
  });
const names = async () =>
  (await owner.get(path)).json<{ items: { name: string }[] }>().items.map(({ name }) => name);
const run = async (statement: SQL) =>
  (await withTenant(test.database, organizationId, (tx) => tx.execute(statement))).rows;
const keys = () => run(sql`select key from idempotency_keys order by key`);
const age = (key: string) =>
  run(sql`update idempotency_keys set created_at = now() - interval '25 hours' where key = ${key}`);

describe('a request with a key', () => {
  it('is done once, and gets its answer again, whatever has become of what it made', async () => {
    const first = await create('Apollo', 'a');
    expect(first.statusCode, first.body).toBe(201);
    const { location, etag } = first.headers;
    await owner.send('DELETE', String(location));
    const again = await create('Apollo', 'a');
    expect([again.statusCode, again.body]).toEqual([201, first.body]);
    expect(again.headers).toMatchObject({ location, etag });
    expect(await names()).toEqual([]);
  });

  it('is the same by the id of the organization and by its slug', async () => {
    await create('Apollo', 'a');
    const again = await create('Apollo', 'a', { url: path.replace('once', organizationId) });
    expect(again.statusCode).toBe(201);
    expect(await names()).toEqual(['Apollo']);
  });

  it('is refused with another body, which does nothing', async () => {
    await create('Apollo', 'a');
    const other = await create('Gemini', 'a');
    expect([other.statusCode, other.json().code]).toEqual([422, 'idempotency_key_reused']);
    expect(await names()).toEqual(['Apollo']);
  });

  it('is done once when it comes many times at once', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => create('Apollo', 'a')));
    expect(new Set(answers.map(({ statusCode, body }) => `${statusCode} ${body}`)).size).toBe(1);
    expect(answers[0]?.statusCode).toBe(201);
    expect(await names()).toEqual(['Apollo']);
  });

  it('is free again where it was refused', async () => {
    await create('Apollo');
    expect((await create('Apollo', 'a')).statusCode).toBe(409);
    expect(await keys()).toEqual([]);
    expect((await create('Gemini', 'a')).statusCode).toBe(201);
  });

  it('belongs to who sends it, in one organization', async () => {
    await create('Apollo', 'a');
    const colleague = await addMember(test, owner, 'colleague@example.com', 'member');
    expect((await create('Gemini', 'a', { client: colleague })).statusCode).toBe(201);
    expect((await create('Apollo', 'a')).json()).toMatchObject({ name: 'Apollo' });
    const { client, path: elsewhere } = await signUpOwner(test.app, 'elsewhere');
    const other = await create('Apollo', 'a', { client, url: `${elsewhere}/test-notes` });
    expect(other.statusCode).toBe(201);
    expect(await names()).toEqual(['Gemini', 'Apollo']);
  });

  it('is forgotten after a day, and taken away by the next', async () => {
    await create('Apollo', 'a');
    await create('Gemini', 'b');
    await age('a');
    expect((await create('Soyuz', 'a')).statusCode).toBe(201);
    await age('a');
    await create('Mir', 'c');
    expect(await keys()).toEqual([{ key: 'b' }, { key: 'c' }]);
  });

  it.each(['', 'a b', 'ä', 'x'.repeat(201)])('has to be visible ASCII: %j', async (key) => {
    const response = await create('Apollo', key);
    expect([response.statusCode, response.json().code]).toEqual([400, 'invalid_request']);
    expect(await names()).toEqual([]);
  });
});

it('a request without a key is done each time', async () => {
  expect((await create('Apollo')).statusCode).toBe(201);
  expect((await create('Apollo')).statusCode).toBe(409);
  expect(await keys()).toEqual([]);
});
