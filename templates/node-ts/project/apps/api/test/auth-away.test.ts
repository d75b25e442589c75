import type { LightMyRequestResponse } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { routes } from '../src/auth/routes/index.ts';
import type { AuthRoute } from '../src/auth/routes/route.ts';
import { loadConfig } from '../src/config.ts';
import { openDatabase } from '../src/db/open.ts';
import { ORIGIN, PASSWORD, signUpOwner, startApp, type TestApp } from './support/app.ts';
import { copyPostgres } from './support/database.ts';
import { DatabaseProxy } from './support/database-proxy.ts';
import { noteModule } from './support/notes.ts';

const LIMITS = {
  DATABASE_POOL_MAX: '4',
  DATABASE_STATEMENT_TIMEOUT_MS: '1000',
  DATABASE_CONNECT_TIMEOUT_MS: '2000',
};
const OWNER = 'steady@example.com';

/** Whatever a body may want, in a form that the contracts let through. */
const FIELDS: Readonly<Record<string, unknown>> = {
  email: OWNER,
  name: 'Steady',
  password: PASSWORD,
  currentPassword: PASSWORD,
  newPassword: PASSWORD,
  token: 'x',
  slug: 'new',
  role: 'member',
  organizationId: 'x',
  memberId: 'x',
  memberIdOrEmail: 'x',
  invitationId: 'x',
  data: { name: 'New' },
};

const known = { email: OWNER, password: PASSWORD };
const stranger = { name: 'New', email: 'new@example.com', password: PASSWORD };

type Asked = Pick<AuthRoute, 'method' | 'path' | 'body'>;

const described = Object.values(routes).flat();
const asked: readonly Asked[] = [
  ...described,
  // Not described, and answered by the same rule.
  { method: 'GET', path: '/list-accounts' },
  { method: 'GET', path: '/reset-password/x' },
];

function bodyFor({ body }: Asked): object | undefined {
  if (!(body instanceof z.ZodObject)) return undefined;
  return Object.fromEntries(Object.entries(FIELDS).filter(([name]) => name in body.shape));
}

// What happens to a database on a network cannot happen to the embedded one.
describe.runIf('server' in inject('template'))('without its database, /api/auth', () => {
  let proxy: DatabaseProxy;
  let drop: () => Promise<void>;
  let test: TestApp;
  let cookie: string;

  beforeAll(async () => {
    const copy = await copyPostgres();
    drop = copy.drop;
    proxy = new DatabaseProxy(copy.url);
    const url = await proxy.start();
    const database = await openDatabase(loadConfig({ ...LIMITS, DATABASE_URL: url }));
    test = await startApp({ database, env: LIMITS, extraModules: [noteModule] });
    cookie = (await signUpOwner(test.app, 'steady')).client.cookie;
  });
  beforeEach(async () => {
    proxy.open();
    proxy.cutAt(undefined);
    const session = async () => (await send('GET', '/api/auth/get-session')).json();
    await expect.poll(session, { timeout: 60_000 }).toMatchObject({ user: { email: OWNER } });
  });
  afterAll(async () => {
    await test.close();
    await proxy.stop();
    await drop();
  });

  const send = (method: 'GET' | 'POST', url: string, payload?: object) =>
    test.app.inject({
      method,
      url,
      headers: { origin: ORIGIN, cookie },
      ...(payload && { payload }),
    });

  function expectUnavailable(response: LightMyRequestResponse): void {
    expect([response.statusCode, response.body]).toEqual([503, expect.any(String)]);
    expect(response.json()).toMatchObject({ code: 'database_unavailable' });
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
    // The browser keeps what it has: the session may well be alive.
    expect(response.cookies).toEqual([]);
  }

  it.each(asked)('takes nobody for somebody else at $method $path', async (route) => {
    proxy.refuse();
    const url = `/api/auth${route.path}?id=x&callbackURL=%2F`;
    expectUnavailable(await send(route.method, url, bodyFor(route)));
  });

  it.each([
    ['an account is made', '/sign-up/email', /insert into "users"/, stranger],
    ['a session begins', '/sign-in/email', /insert into "sessions"/, known],
    ['a session ends', '/sign-out', /delete from "sessions"/, undefined],
    ['a session is read', '/get-session', /from "sessions"/, undefined],
    ['a session is asked for', '/organization/list', /from "sessions"/, undefined],
  ])('is cut off while %s', async (_what, path, statement, payload) => {
    const method = described.find((each) => each.path === path)?.method ?? 'GET';
    proxy.cutAt(statement);
    expectUnavailable(await send(method, `/api/auth${path}`, payload));
  });

  it('waits for a frozen one no longer than for any other', async () => {
    proxy.freeze();
    for (const path of ['/get-session', '/list-sessions']) {
      expectUnavailable(await send('GET', `/api/auth${path}`));
    }
  });

  it('says so where a session would be extended', async () => {
    const soon = `update sessions set expires_at = now() + interval '5 days'`;
    await test.database.db.execute(soon);
    proxy.cutAt(/update "sessions"/);
    expectUnavailable(await send('GET', '/api/v1/organizations/steady/test-notes'));
  });
});
