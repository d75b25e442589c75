import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAttempts } from '../src/auth/attempts.ts';
import { isPlain } from '../src/http/plain-path.ts';
import { Client, PASSWORD, signUp, startApp, type TestApp } from './support/app.ts';

const SIGN_IN = '/api/auth/sign-in/email';
let test: TestApp;
let port: number;

beforeAll(async () => {
  test = await startApp();
  await test.app.listen({ port: 0, host: '127.0.0.1' });
  port = (test.app.server.address() as AddressInfo).port;
  await signUp(test.app, 'ada@example.com');
});
afterAll(() => test.close());

/** The status of a request whose target nobody has tidied up on the way. */
async function raw(target: string, payload: object, at = port): Promise<number> {
  const body = JSON.stringify(payload);
  const socket = connect(at, '127.0.0.1');
  // Not end(): Node answers nobody who has hung up already.
  socket.write(
    `POST ${target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  await once(socket, 'close');
  return Number(/^HTTP\/1\.1 (\d+)/.exec(received)?.[1]);
}

describe('an address in another spelling', () => {
  it.each([
    '/api/auth/./sign-in/email',
    '/api/auth/x/../sign-in/email',
    '/api/auth/sign-in/email/.',
    '/api/auth/sign-in/x/..',
    '/api/auth/%2e/sign-in/email',
    '/api/auth/x/%2E%2e/sign-in/email',
    '/api/auth/x/.%2e/sign-in/email',
    '/api/auth//sign-in/email',
    '//api/auth/sign-in/email',
    '/api/auth\\sign-in/email',
    '/api/auth/x/..\\sign-in/email',
    '/api/auth%2fsign-in/email',
    '/api/auth/sign-in%5Cemail',
    '/api/auth/sign-in/email#x',
    'http://localhost:3000/api/auth/sign-in/email',
    'http://evil.example/api/auth/sign-in/email',
  ])('%s is refused', async (target) => {
    const payload = { email: 'ada@example.com', password: PASSWORD };
    expect(await raw(target, payload)).toBe(400);
  });

  it.each(['/api/auth/sign-in/email/', '/API/auth/sign-in/email', '/api/auth/Sign-In/email'])(
    '%s leads nowhere',
    async (target) => {
      const payload = { email: 'ada@example.com', password: PASSWORD };
      expect(await raw(target, payload)).toBe(404);
    },
  );

  it('does not reach better-auth past the limit, whichever it is', async () => {
    const limited = await startApp({ database: test.database, env: { AUTH_RATE_LIMIT_MAX: '2' } });
    await limited.app.listen({ port: 0, host: '127.0.0.1' });
    const at = (limited.app.server.address() as AddressInfo).port;
    const guess = { email: 'ada@example.com', password: 'wrong password!' };
    const spellings = [
      SIGN_IN,
      '/api/auth/sign-in/email?a=1',
      '/api/auth/%73ign-in/email',
      '/api/auth/sign-in/emai%6c',
      '/api/auth/sign-in/email/',
      '/api/auth/sign-in;x/email',
      '/api/auth/sign-in/email;x',
      '/api/auth/./sign-in/email',
    ];
    const statuses: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      for (const target of spellings) statuses.push(await raw(target, guess, at));
    }
    const refused = spellings.slice(4).map((_, index) => (index < 3 ? 404 : 400));
    expect(statuses.slice(0, spellings.length)).toEqual([401, 401, 429, 429, ...refused]);
    expect(statuses.filter((status) => status === 401)).toHaveLength(2);
    await limited.app.close();
  });

  it.each(['/', '/a', '/a/b.c', '/a/..b', '/a/.well-known', '/a?x=../..//', '/a/%20b', '/a/b/'])(
    '%s is plain',
    (target) => expect(isPlain(target)).toBe(true),
  );
});

describe('trying from one address', () => {
  it.each([
    'sign-up/email',
    'sign-in/email',
    'request-password-reset',
    'reset-password',
    'change-password',
    'send-verification-email',
    'organization/invite-member',
  ])('is limited at %s', async (route) => {
    const limited = await startApp({ database: test.database, env: { AUTH_RATE_LIMIT_MAX: '1' } });
    const client = new Client(limited.app);
    expect((await client.post(`/api/auth/${route}`, {})).statusCode).not.toBe(429);
    const second = await client.post(`/api/auth/${route}`, {});
    expect([second.statusCode, second.json()]).toMatchObject([429, { code: 'too_many_requests' }]);
    await limited.app.close();
  });
});

describe('guessing on one account', () => {
  const wrong = { email: 'ada@example.com', password: 'wrong password!' };
  const signIn = (app: TestApp, payload: object, from = '10.0.0.1') =>
    app.app.inject({
      method: 'POST',
      url: SIGN_IN,
      payload,
      headers: { 'x-forwarded-for': from },
    });
  const limit = (max: string) =>
    startApp({
      database: test.database,
      env: { ACCOUNT_RATE_LIMIT_MAX: max, ACCOUNT_MAIL_LIMIT_MAX: '2', TRUST_PROXY: '1' },
    });
  const forgetAll = () => test.database.db.execute(sql`delete from auth_attempts`);

  it.each(['ada@example.com', 'nobody@example.com'])(
    'is limited for %s from all addresses together, in all processes',
    async (email) => {
      await forgetAll();
      const [one, other] = await Promise.all([limit('3'), limit('3')]);
      const spellings = [email, email.toUpperCase(), email, email];
      const statuses: number[] = [];
      for (const [index, each] of spellings.entries()) {
        const app = index % 2 ? one : other;
        const response = await signIn(app, { ...wrong, email: each }, `10.0.0.${index}`);
        statuses.push(response.statusCode);
        if (response.statusCode !== 429) continue;
        expect(response.json()).toMatchObject({ code: 'too_many_attempts' });
        const seconds = Number(response.headers['retry-after']);
        // A window is a quarter of an hour, and has only just begun.
        expect(seconds).toBeGreaterThan(600);
        expect(seconds).toBeLessThanOrEqual(900);
      }
      expect(statuses).toEqual([401, 401, 401, 429]);
      const right = await signIn(one, { email, password: PASSWORD });
      expect(right.statusCode).toBe(429);
      await one.app.close();
      await other.app.close();
    },
  );

  it('shuts its owner out for a quarter of an hour at most, and not from the mailbox', async () => {
    await forgetAll();
    const limited = await limit('1');
    const end = async () =>
      (await test.database.db.execute(sql`select ends_at::text from auth_attempts`)).rows;
    await signIn(limited, wrong);
    const first = await end();
    expect((await signIn(limited, wrong)).statusCode).toBe(429);
    // However often others try, the window ends when it ends.
    expect(await end()).toEqual(first);
    await test.database.db.execute(
      sql`update auth_attempts set ends_at = now() - interval '1 second'`,
    );
    expect((await signIn(limited, wrong)).statusCode).toBe(401);
    expect((await signIn(limited, wrong)).statusCode).toBe(429);

    const client = new Client(limited.app);
    const body = { email: 'ada@example.com' };
    expect((await client.post('/api/auth/request-password-reset', body)).statusCode).toBe(200);
    // Jobs are run by whoever listens.
    const mail = await test.mailTo('ada@example.com', 'Choose a new password');
    const token = /reset-password\/([^?\s]+)/.exec(mail.text)?.[1];
    const reset = await client.post('/api/auth/reset-password', { token, newPassword: PASSWORD });
    expect(reset.statusCode, reset.body).toBe(200);
    expect((await signIn(limited, { ...wrong, password: PASSWORD })).statusCode).toBe(200);
    await limited.app.close();
  });

  it.each([
    ['/api/auth/request-password-reset', { email: 'ada@example.com' }],
    ['/api/auth/request-password-reset', { email: 'nobody@example.com' }],
    ['/api/auth/send-verification-email', { email: 'nobody@example.com' }],
  ])('%s for %j fills no mailbox', async (url, payload) => {
    await forgetAll();
    const limited = await limit('9');
    const statuses: number[] = [];
    for (let count = 0; count < 3; count += 1) {
      statuses.push((await new Client(limited.app).post(url, payload)).statusCode);
    }
    expect(statuses).toEqual([200, 200, 429]);
    await limited.app.close();
  });

  it('is counted by the user where the body names nobody', async () => {
    await forgetAll();
    const client = await signUp(test.app, 'changing@example.com');
    const limited = await limit('1');
    const change = { currentPassword: 'wrong password!', newPassword: 'another password' };
    const headers = { cookie: client.cookie, origin: 'http://localhost:3000' };
    const send = () =>
      limited.app.inject({
        method: 'POST',
        url: '/api/auth/change-password',
        payload: change,
        headers,
      });
    expect([(await send()).statusCode, (await send()).statusCode]).toEqual([400, 429]);
    await limited.app.close();
  });

  it('lets as many through as it says, even at once, and forgets those of the past', async () => {
    await forgetAll();
    const attempts = createAttempts(test.database);
    const waits = await Promise.all(
      Array.from({ length: 10 }, () => attempts.take('test', 'a@example.com', 4)),
    );
    expect(waits.filter((seconds) => seconds === 0)).toHaveLength(4);
    await test.database.db.execute(
      sql`update auth_attempts set ends_at = now() - interval '1 second'`,
    );
    expect(await attempts.take('test', 'b@example.com', 4)).toBe(0);
    const { rows } = await test.database.db.execute(
      sql`select key from auth_attempts where ends_at <= now()`,
    );
    expect(rows).toEqual([]);
  });
});

describe('looking for addresses', () => {
  it.each(['/nowhere', '/api/auth/nowhere'])('at %s is limited', async (url) => {
    const limited = await startApp({ database: test.database, env: { RATE_LIMIT_MAX: '2' } });
    const statuses: number[] = [];
    for (let count = 0; count < 3; count += 1) {
      statuses.push((await limited.app.inject({ url })).statusCode);
    }
    expect(statuses).toEqual([404, 404, 429]);
    await limited.app.close();
  });
});
