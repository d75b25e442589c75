import { PASSWORD_LENGTH, type Problem } from '@app/contracts';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createAttempts } from '../src/auth/attempts.ts';
import { createAuth } from '../src/auth/better-auth.ts';
import { routes } from '../src/auth/routes/index.ts';
import { loadConfig } from '../src/config.ts';
import {
  type Client,
  confirmAddress,
  ORIGIN,
  PASSWORD,
  signUp,
  signUpOwner,
  startApp,
  type TestApp,
} from './support/app.ts';
import { unreachableDatabase } from './support/database.ts';

const NUL = '\u0000';
let test: TestApp;
let owner: Client;
let organizationId: string;

beforeAll(async () => {
  test = await startApp({ env: { ORGANIZATIONS_PER_USER: '3' } });
  ({ client: owner, organizationId } = await signUpOwner(test.app, 'acme'));
  await confirmAddress(test, owner, 'acme@example.com');
});
afterAll(() => test.close());

describe('what better-auth would take', () => {
  const signUpWith = (changes: object) => ({
    name: 'Eve',
    email: 'eve@example.com',
    password: PASSWORD,
    ...changes,
  });
  const create = (changes: object) => ({ name: 'New', slug: 'new', ...changes });
  const long = 'x'.repeat(10_000);
  const deep = (levels: number): object => (levels === 0 ? {} : { a: deep(levels - 1) });
  const many = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`k${index}`, 1]));

  it.each([
    ['/sign-up/email', signUpWith({ name: long }), '/name'],
    ['/sign-up/email', signUpWith({ name: '  ' }), '/name'],
    ['/sign-up/email', signUpWith({ name: `a${NUL}` }), undefined],
    ['/sign-up/email', signUpWith({ email: `${'a'.repeat(250)}@example.com` }), '/email'],
    ['/sign-up/email', signUpWith({ image: 'javascript:alert(1)' }), '/image'],
    ['/sign-up/email', signUpWith({ image: `https://x/${long}` }), '/image'],
    ['/sign-up/email', signUpWith({ role: 'admin' }), ''],
    ['/sign-in/email', { email: 'eve@example.com', password: long }, undefined],
    ['/update-user', { name: ' ' }, '/name'],
    ['/update-user', {}, ''],
    ['/organization/create', create({ name: long }), '/name'],
    ['/organization/create', create({ name: '\t \n' }), '/name'],
    ['/organization/create', create({ name: '\u200b' }), '/name'],
    ['/organization/create', create({ name: `a${NUL}b` }), undefined],
    ['/organization/create', create({ slug: '../ ?#' }), '/slug'],
    ['/organization/create', create({ slug: 'UPPER' }), '/slug'],
    ['/organization/create', create({ slug: 'a'.repeat(64) }), '/slug'],
    ['/organization/create', create({ logo: 'data:text/html,x' }), '/logo'],
    ['/organization/create', create({ metadata: { a: long } }), '/metadata/a'],
    ['/organization/create', create({ metadata: many }), '/metadata'],
    ['/organization/create', create({ metadata: deep(3) }), '/metadata/a'],
    ['/organization/create', create({ metadata: { [long]: 1 } }), `/metadata/${long}`],
    ['/organization/create', create({ userId: 'somebody else' }), ''],
    ['/organization/update', { data: { name: long } }, '/data/name'],
    ['/organization/update', { data: {} }, '/data'],
    ['/organization/set-active', { organizationId: `a${NUL}` }, undefined],
    ['/organization/set-active', { organizationId: long }, '/organizationId'],
    ['/organization/accept-invitation', { invitationId: NUL }, undefined],
    ['/organization/accept-invitation', { invitationId: '../x' }, '/invitationId'],
    ['/organization/invite-member', { email: 'x', role: 'member' }, '/email'],
    ['/organization/invite-member', { email: 'a@example.com', role: '' }, '/role'],
  ])('%s refuses %j', async (path, payload, field) => {
    const response = await owner.post(`/api/auth${path}`, payload);
    expect(response.statusCode, response.body).toBe(400);
    if (field === undefined) return;
    const problem = response.json<Problem>();
    expect(problem).toMatchObject({ code: 'invalid_request' });
    expect(problem.errors?.map(({ path: at }) => at)).toContain(field);
  });

  it.each([
    [`${NUL}`, 400],
    ['\\u0000', 200],
  ])('tells the character %j from a text about it', async (text, status) => {
    const response = await owner.post('/api/auth/update-user', { name: `about ${text}` });
    expect(response.statusCode, response.body).toBe(status);
  });

  it('is no large body, however large others may be', async () => {
    const name = 'x'.repeat(70_000);
    for (const path of ['/organization/create', '/update-user', '/unlink-account']) {
      expect((await owner.post(`/api/auth${path}`, { name })).statusCode).toBe(413);
    }
  });

  it.each([
    ['short', 'PASSWORD_TOO_SHORT'],
    // Twelve, written out: a shorter minimum is a decision, not a slip.
    ['x'.repeat(11), 'PASSWORD_TOO_SHORT'],
    ['x'.repeat(PASSWORD_LENGTH.max + 1), 'PASSWORD_TOO_LONG'],
  ])('keeps the code by which its clients know the password %j', async (password, code) => {
    for (const [path, payload] of [
      ['sign-up/email', signUpWith({ password })],
      ['reset-password', { token: 'x', newPassword: password }],
      ['change-password', { currentPassword: PASSWORD, newPassword: password }],
    ] as const) {
      const response = await owner.post(`/api/auth/${path}`, payload);
      expect([response.statusCode, response.json<Problem>().code]).toEqual([400, code]);
    }
  });

  it('may hold metadata that is small', async () => {
    const metadata = {
      plan: 'pro',
      seats: 5,
      tags: ['a', 'b'],
      billing: { vat: 'DE1', paid: true },
    };
    const body = { organizationId, data: { metadata } };
    const response = await owner.post('/api/auth/organization/update', body);
    expect(response.statusCode, response.body).toBe(200);
    expect(response.json()).toMatchObject({ metadata });
  });
});

describe('organizations', () => {
  it('are made up to a limit, and by an unverified address only once', async () => {
    const create = async (client: Client, slug: string) => {
      const response = await client.post('/api/auth/organization/create', { name: slug, slug });
      return response.statusCode;
    };
    const results: number[] = [];
    for (const slug of ['a-two', 'a-three', 'a-four']) results.push(await create(owner, slug));
    expect(results).toEqual([200, 200, 403]);

    const unverified = await signUp(test.app, 'unverified@example.com');
    expect([await create(unverified, 'b-one'), await create(unverified, 'b-two')]).toEqual([
      200, 403,
    ]);
    await confirmAddress(test, unverified, 'unverified@example.com');
    expect(await create(unverified, 'b-two')).toBe(200);
  });

  it('of which three want the same slug at once are one, and two problems', async () => {
    const people = await Promise.all(
      [1, 2, 3].map((number) => signUp(test.app, `racer${number}@example.com`)),
    );
    const responses = await Promise.all(
      people.map((client) =>
        client.post('/api/auth/organization/create', { name: 'Race', slug: 'race' }),
      ),
    );
    const statuses = responses.map((response) => response.statusCode).toSorted();
    expect(statuses[0]).toBe(200);
    for (const status of statuses.slice(1)) expect([400, 409]).toContain(status);
  });

  it('that meet in the database alone are a conflict, and no error of ours', async () => {
    // As if the slug had come between better-auth's look and its write.
    await test.database.db.execute(
      sql.raw(`
      create function slug_comes_first() returns trigger language plpgsql as $$ begin
        if new.slug = 'late' and pg_trigger_depth() = 1 then
          insert into organizations (id, name, slug) values ('first', 'First', 'late');
        end if;
        return new;
      end $$`),
    );
    await test.database.db.execute(
      sql.raw(`create trigger slug_comes_first before insert on organizations
        for each row execute function slug_comes_first()`),
    );
    const client = await signUp(test.app, 'late@example.com');
    const body = { name: 'Late', slug: 'late' };
    const response = await client.post('/api/auth/organization/create', body);
    await test.database.db.execute(sql.raw('drop trigger slug_comes_first on organizations'));
    expect(response.statusCode, response.body).toBe(409);
    expect(response.json()).toMatchObject({ code: 'already_exists', status: 409 });
  });
});

describe('every route of better-auth', () => {
  const auth = createAuth({
    config: loadConfig({}),
    database: unreachableDatabase(),
    attempts: createAttempts(unreachableDatabase()),
    postbox: { post: async () => undefined },
    // biome-ignore lint/suspicious/noExplicitAny: nothing is logged while the routes are listed
    log: {} as any,
  });
  const served: { path: string; method: 'GET' | 'POST' }[] = Object.values(auth.api).flatMap(
    (endpoint) => {
      const { path, options } = endpoint as {
        path?: string;
        options: { method?: string | string[]; metadata?: { SERVER_ONLY?: boolean } };
      };
      if (path === undefined || options.metadata?.SERVER_ONLY) return [];
      const methods = [options.method ?? []].flat();
      return methods.map((method) => ({ path, method: method as 'GET' | 'POST' }));
    },
  );

  /** What fits nowhere, and what fits nearly. */
  const VALUES = [
    NUL,
    `a${NUL}`,
    '',
    ' ',
    '\ud800',
    '../..',
    "' or 1=1 --",
    '%',
    'x'.repeat(5_000),
    null,
    -1,
    1e308,
    true,
    [],
    [[]],
    {},
    { $ne: null },
  ];
  const FIELDS =
    'email password newPassword currentPassword token name slug image logo metadata data role memberId memberIdOrEmail invitationId organizationId organizationSlug userId callbackURL redirectTo provider providerId accountId idToken teamId permissions permission newEmail id limit offset sortBy sortDirection filterField filterValue filterOperator code state error disableCookieCache rememberMe resend'.split(
      ' ',
    );

  async function signedIn(): Promise<Record<string, string>> {
    const { client } = await signUpOwner(test.app, `fuzz-${Math.random()}`.replace('0.', ''));
    return { cookie: client.cookie, origin: ORIGIN };
  }

  it('is known', () => {
    expect(served.length).toBeGreaterThan(40);
    const listed = served.map(({ method, path }) => `${method} ${path}`);
    const described = Object.values(routes)
      .flat()
      .map(({ method, path }) => `${method} ${path}`);
    expect(described.filter((route) => !listed.includes(route))).toEqual([]);
  });

  it('that takes a password is limited, or not there', async () => {
    const { cookie, origin } = await signedIn();
    const taking = Object.values(auth.api).flatMap((endpoint) => {
      const { path, options } = endpoint as {
        path?: string;
        options: { body?: z.ZodType; metadata?: { SERVER_ONLY?: boolean } };
      };
      if (path === undefined || !options.body || options.metadata?.SERVER_ONLY) return [];
      const shape = JSON.stringify(z.toJSONSchema(options.body, { unrepresentable: 'any' }));
      return /"\w*password"/i.test(shape) ? [path] : [];
    });
    expect(taking).toContain('/verify-password');
    for (const path of taking) {
      const route = Object.values(routes)
        .flat()
        .find((each) => each.path === path);
      if (route?.limit) continue;
      const payload = { password: PASSWORD };
      const headers = { cookie, origin };
      const url = `/api/auth${path}`;
      const { statusCode } = await test.app.inject({ method: 'POST', url, payload, headers });
      expect([path, statusCode]).toEqual([path, 404]);
    }
  });

  it('for reading answers HEAD like GET', async () => {
    const response = await test.app.inject({ method: 'HEAD', url: '/api/auth/get-session' });
    expect([response.statusCode, response.body]).toEqual([200, '']);
  });

  it.each(served)('$method $path answers anything without an error of ours', async (route) => {
    const path = `/api/auth${route.path.replaceAll(/:\w+/g, 'x')}`;
    const headers = await signedIn();
    const failures: unknown[] = [];
    const send = async (payload: object | undefined, query: string) => {
      const url = `${path}${query}`;
      const body = payload && { payload: JSON.stringify(payload) };
      const response = await test.app.inject({
        method: route.method,
        url,
        ...body,
        headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      });
      if (response.statusCode >= 500) failures.push([url, payload, response.body.slice(0, 300)]);
    };
    for (const value of VALUES) {
      const all = Object.fromEntries(FIELDS.map((field) => [field, value]));
      const mostlyRight = { email: 'a@example.com', password: PASSWORD, newPassword: PASSWORD };
      const ids = { organizationId: value, memberId: value, invitationId: value, id: value };
      const text = String(value).toWellFormed();
      const query = new URLSearchParams(Object.fromEntries(FIELDS.map((field) => [field, text])));
      if (route.method === 'GET') {
        await send(undefined, `?${query}`);
        await send(
          undefined,
          `?${new URLSearchParams({ id: String(value), token: String(value) })}`,
        );
        await send(
          undefined,
          `?filterField=${encodeURIComponent(String(value).toWellFormed())}&filterValue=x`,
        );
      } else {
        await send(all, '');
        await send(
          { ...mostlyRight, ...ids, name: value, slug: value, token: value, role: value },
          '',
        );
        await send(
          { ...all, ...mostlyRight },
          `?token=${encodeURIComponent(String(value).toWellFormed())}`,
        );
      }
    }
    const inPath = `${path.replace(/x$/, '')}%00`;
    const response = await test.app.inject({ method: route.method, url: inPath, headers });
    if (response.statusCode >= 500) failures.push([inPath, response.body]);
    expect(failures).toEqual([]);
  });
});
