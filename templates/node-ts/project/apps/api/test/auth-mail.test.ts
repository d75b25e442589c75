import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../src/db/database.ts';
import { createMailer, type Mail } from '../src/mail/mailer.ts';
import {
  Client,
  invite,
  linkIn,
  PASSWORD,
  signUp,
  signUpOwner,
  startApp,
  type TestApp,
} from './support/app.ts';
import { copyDatabase } from './support/database.ts';
import { MailServer, SILENT } from './support/mail-server.ts';

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
    const alone = await startApp();
    const { client } = await signUpOwner(alone.app, 'alone');
    await client.post(RESET, { email: 'alone@example.com' });
    const mail = await alone.mailTo('alone@example.com', 'Choose a new password');
    expect(callbackOf(mail)).toBe('http://localhost:3000/reset-password');
    expect(await invite(alone, client, { email: 'b@example.com', role: 'member' })).toBeTruthy();
    await alone.close();
  });
});

describe('a mail', () => {
  it('speaks the language that its request asks for', async () => {
    const german = { 'accept-language': 'de-AT,de;q=0.9,en;q=0.8' };
    const payload = { name: 'Grete', email: 'grete@example.com', password: PASSWORD };
    const send = (client: Client, url: string, body: object) =>
      client.send('POST', url, { payload: body, headers: german });
    await send(new Client(test.app), '/api/auth/sign-up/email', payload);
    const mail = await test.mailTo(payload.email, 'Bestätigen Sie Ihre E-Mail-Adresse');
    expect(mail.html).toContain('<html lang="de">');
    await send(new Client(test.app), RESET, { email: payload.email });
    await test.mailTo(payload.email, 'Wählen Sie ein neues Passwort');
    const { client } = await signUpOwner(test.app, 'sprachen');
    const invitation = { email: 'gast@example.com', role: 'member' };
    await send(client, '/api/auth/organization/invite-member', invitation);
    await test.mailTo(invitation.email, 'Einladung zu sprachen');
  });
});

it('whether an address has an account is looked up behind the answer', async () => {
  const quiet = await startApp();
  const email = 'known@example.com';
  await signUp(quiet.app, email);
  await quiet.database.db.execute(sql`delete from queue.job`);
  const client = new Client(quiet.app);
  const known = await client.post(RESET, { email });
  const stranger = await client.post(RESET, { email: 'stranger@example.com' });
  expect([stranger.statusCode, stranger.body]).toEqual([200, known.body]);
  const { rows } = await quiet.database.db.execute(
    sql`select name, data->'payload'->>'email' as email from queue.job order by created_on`,
  );
  const name = 'auth.request-password-reset';
  expect(rows).toEqual([
    { name, email },
    { name, email: 'stranger@example.com' },
  ]);
  await quiet.mailTo(email, 'Choose a new password');
  expect(quiet.mails.map(({ to }) => to)).toEqual([email]);
  await quiet.close();
});

describe('a mail server that accepts and stays silent', () => {
  const server = new MailServer();
  let database: Database;
  let silent: TestApp;

  beforeAll(async () => {
    database = await copyDatabase();
    silent = await open(await server.start());
    await silent.app.listen({ port: 0, host: '127.0.0.1' });
  });
  afterAll(async () => {
    await server.stop();
    await database.close();
  });

  async function open(url: string): Promise<TestApp> {
    const mailer = await createMailer(url, 'a@example.com', silent?.app.log);
    const shared = { ...database, close: async () => undefined };
    return startApp({ database: shared, mailer, env: { SHUTDOWN_TIMEOUT_MS: '2000' } });
  }

  const posted = async () => {
    const { rows } = await database.db.execute<{ to: string; state: string }>(
      sql`select data->'payload'->>'to' as "to", state::text from queue.job
        where name = 'mail.send' order by created_on`,
    );
    return rows;
  };

  it('holds up no answer', async () => {
    server.answers = SILENT;
    const email = 'patient@example.com';
    const client = await signUp(silent.app, email);
    await expect.poll(() => server.connections, { timeout: 60_000 }).toBe(1);
    expect((await client.post(RESET, { email })).statusCode).toBe(200);
    await expect.poll(() => server.connections, { timeout: 60_000 }).toBe(2);
    expect((await posted()).map(({ to }) => to)).toEqual([email, email]);
  });

  it('holds up no shutdown for longer than half of its time, and loses nothing', async () => {
    await silent.close();
    expect((await posted()).map(({ state }) => state)).not.toContain('completed');
    server.answers = {};
    const again = await open(`smtp://127.0.0.1:${server.port}`);
    await again.app.jobs.start();
    await expect.poll(() => server.messages.length, { timeout: 60_000 }).toBe(2);
    await again.close();
  });
});
