import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMailer, type Mail, type Mailer } from '../src/mail/mailer.ts';
import {
  Client,
  invite,
  linkIn,
  ORIGIN,
  PASSWORD,
  signUp,
  signUpOwner,
  startApp,
  type TestApp,
} from './support/app.ts';

const APP_URL = 'https://app.example.com/shop';
let test: TestApp;

beforeAll(async () => {
  test = await startApp({ env: { APP_URL } });
});
afterAll(() => test.close());

const RESET = '/api/auth/request-password-reset';

describe('a link in a mail', () => {
  const callbackOf = (mail: Mail) =>
    new URL(/http\S+/.exec(mail.text)?.[0] ?? '').searchParams.get('callbackURL');

  it('confirms the address and leads into the front end', async () => {
    const client = await signUp(test.app, 'new@example.com');
    const mail = await test.mailTo('new@example.com', 'Confirm your e-mail address');
    const response = await client.get(linkIn(mail));
    expect(response.statusCode).toBe(302);
    expect(response.headers.location).toBe(`${APP_URL}/`);
  });

  it('leads to the form for a new password, with a token that the form can use', async () => {
    const client = await signUp(test.app, 'forgetful@example.com');
    await client.post(RESET, { email: 'forgetful@example.com' });
    const mail = await test.mailTo('forgetful@example.com', 'Choose a new password');
    const response = await client.get(linkIn(mail));
    expect(response.statusCode, response.body).toBe(302);
    const page = new URL(response.headers.location ?? '');
    expect(page.origin + page.pathname).toBe(`${APP_URL}/reset-password`);
    const body = { token: page.searchParams.get('token'), newPassword: PASSWORD };
    expect((await client.post('/api/auth/reset-password', body)).statusCode).toBe(200);
  });

  it('leads to the page that the caller named, if it is ours', async () => {
    const email = 'choosy@example.com';
    await signUp(test.app, email);
    for (const [redirectTo, expected] of [
      ['/new-password', `${APP_URL}/new-password`],
      ['https://app.example.com/x', 'https://app.example.com/x'],
    ]) {
      expect((await new Client(test.app).post(RESET, { email, redirectTo })).statusCode).toBe(200);
      const mail = await test.mailTo(email, 'Choose a new password');
      expect(callbackOf(mail)).toBe(expected);
    }
  });

  it.each([
    'https://evil.example/',
    '//evil.example/',
    'https://app.example.com.evil.example/',
    'https://app.example.com@evil.example/',
    'javascript:alert(1)',
    '/\\evil.example',
  ])('never leads to %s', async (page) => {
    const email = 'careful@example.com';
    const reset = await new Client(test.app).post(RESET, { email, redirectTo: page });
    expect(reset.statusCode).toBe(403);
    const verify = `/api/auth/verify-email?token=x&callbackURL=${encodeURIComponent(page)}`;
    expect((await new Client(test.app).get(verify)).statusCode).toBe(403);
  });

  it('opens the invitation', async () => {
    const { client } = await signUpOwner(test.app, 'linked');
    const invitation = { email: 'guest@example.com', role: 'member' };
    const response = await client.post('/api/auth/organization/invite-member', invitation);
    const { id } = response.json<{ id: string }>();
    const mail = await test.mailTo('guest@example.com', 'Join linked');
    expect(mail.text).toContain(`\n${APP_URL}/accept-invitation?id=${id}\n`);
  });

  it('leads to the API itself where there is no front end', async () => {
    const alone = await startApp({ database: test.database });
    const { client } = await signUpOwner(alone.app, 'alone');
    await client.post(RESET, { email: 'alone@example.com' });
    const mail = await alone.mailTo('alone@example.com', 'Choose a new password');
    expect(callbackOf(mail)).toBe('http://localhost:3000/reset-password');
    expect(await invite(alone, client, { email: 'b@example.com', role: 'member' })).toBeTruthy();
    await alone.app.close();
  });
});

describe('a mail server that accepts and stays silent', () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket));
  /** For each mail that was begun, whether the answer to the newest request was out by then. */
  const answered: (boolean | undefined)[] = [];
  let newest: ServerResponse | undefined;
  let silent: TestApp;
  let api: string;

  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    // biome-ignore lint/suspicious/noExplicitAny: this transport logs nothing
    const smtp = await createMailer(`smtp://127.0.0.1:${port}`, 'a@example.com', {} as any);
    const mailer: Mailer = {
      send(mail) {
        answered.push(newest?.writableFinished);
        return smtp.send(mail);
      },
    };
    const env = { SHUTDOWN_TIMEOUT_MS: '200' };
    silent = await startApp({ database: test.database, mailer, env });
    silent.app.server.prependListener('request', (_request, response) => {
      newest = response;
    });
    api = await silent.app.listen({ port: 0, host: '127.0.0.1' });
  });
  afterAll(() => server.close());

  const post = async (path: string, body: object) => {
    const response = await fetch(api + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: ORIGIN },
      body: JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  };

  it('holds up no answer, and is not even called before it', async () => {
    const person = { name: 'Ada', email: 'patient@example.com', password: PASSWORD };
    expect((await post('/api/auth/sign-up/email', person)).status).toBe(200);
    await expect.poll(() => answered.length, { timeout: 20_000 }).toBe(1);
    const known = await post(RESET, { email: 'patient@example.com' });
    await expect.poll(() => answered.length, { timeout: 20_000 }).toBe(2);
    expect(answered).toEqual([true, true]);
    // Both mails are still underway.
    await expect.poll(() => sockets.length, { timeout: 20_000 }).toBe(2);
    expect(await post(RESET, { email: 'stranger@example.com' })).toEqual(known);
    expect(answered).toHaveLength(2);
  });

  it('holds up no shutdown for longer than half of its time', async () => {
    await silent.app.close();
    const lost = silent.logs.filter((line) => line.msg === 'mail lost');
    expect(lost).toMatchObject([{ reason: 'the process stops' }, { lost: 2 }]);
    expect(JSON.stringify(lost)).not.toContain('patient@example.com');
    for (const socket of sockets) socket.destroy();
  });
});
