import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sessions } from '../src/auth/schema.ts';
import { permissions } from '../src/modules/permissions.ts';
import {
  addMember,
  Client,
  confirmAddress,
  invite,
  PASSWORD,
  signUp,
  signUpOwner,
  startApp,
  type TestApp,
} from './support/app.ts';
import { noteModule } from './support/notes.ts';

let test: TestApp;
beforeAll(async () => {
  test = await startApp({
    extraModules: [noteModule],
    env: { CORS_ORIGINS: 'https://app.example.com' },
  });
});
afterAll(() => test.close());

const SIGN_UP = '/api/auth/sign-up/email';
const SIGN_IN = '/api/auth/sign-in/email';

describe('accounts', () => {
  it('sign up, out and in again', async () => {
    const client = await signUp(test.app, 'ada@example.com');
    expect((await client.get('/api/auth/get-session')).json()).toMatchObject({
      user: { email: 'ada@example.com' },
    });
    expect((await client.post('/api/auth/sign-out', {})).statusCode).toBe(200);
    expect((await client.get('/api/auth/get-session')).json()).toBeNull();

    const signedIn = await client.post(SIGN_IN, { email: 'ada@example.com', password: PASSWORD });
    expect(signedIn.statusCode).toBe(200);
    const cookie = signedIn.headers['set-cookie'] as string;
    expect(cookie).toMatch(/HttpOnly/i);
    expect(cookie).toMatch(/SameSite=Lax/i);
  });

  it('have a cookie that browsers send over https alone, where the API is reached by it', async () => {
    const origin = 'https://api.example.com';
    const secure = await startApp({ database: test.database, env: { PUBLIC_URL: origin } });
    const response = await secure.app.inject({
      method: 'POST',
      url: SIGN_UP,
      headers: { origin },
      payload: { email: 'secure@example.com', name: 'Secure', password: PASSWORD },
    });
    expect(response.headers['set-cookie']).toMatch(/^__Secure-app\.session_token=.*; Secure/);
    await secure.app.close();
  });

  it.each([
    [{ email: 'eve@example.com', password: 'wrong password!' }, 401],
    [{ email: 'nobody@example.com', password: PASSWORD }, 401],
    [{ email: 'eve@example.com' }, 400],
    [{ email: { $ne: null }, password: PASSWORD }, 400],
    ['{ not json', 400],
  ])('answer a sign-in with %j by %i and a problem', async (payload, status) => {
    const response = await test.app.inject({
      method: 'POST',
      url: SIGN_IN,
      payload,
      headers: { 'content-type': 'application/json' },
    });
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toContain('application/problem+json');
    expect(response.json()).toMatchObject({ status, requestId: response.headers['x-request-id'] });
  });

  it.each([
    [{ email: 'dup@example.com', name: 'Dup', password: PASSWORD }, 422],
    [{ email: 'DUP@example.com', name: 'Dup', password: PASSWORD }, 422],
    [{ email: 'short@example.com', name: 'Short', password: 'short' }, 400],
    [{ email: 'no address', name: 'No', password: PASSWORD }, 400],
  ])('refuse to sign up %j', async (payload, status) => {
    if (status === 422) await signUp(test.app, 'dup@example.com').catch(() => undefined);
    const response = await test.app.inject({ method: 'POST', url: SIGN_UP, payload });
    expect(response.statusCode, response.body).toBe(status);
  });

  it('choose a new password by a link in a mail, which ends the old sessions', async () => {
    const client = await signUp(test.app, 'forgot@example.com');
    await client.post('/api/auth/request-password-reset', { email: 'forgot@example.com' });
    const mail = await test.mailTo('forgot@example.com', 'Choose a new password');
    const token = /reset-password\/([^?\s]+)/.exec(mail.text)?.[1];
    const newPassword = 'another long password';
    const reset = await client.post('/api/auth/reset-password', { token, newPassword });
    expect(reset.statusCode, reset.body).toBe(200);
    expect((await client.get('/api/auth/get-session')).json()).toBeNull();
    const again = await client.post(SIGN_IN, {
      email: 'forgot@example.com',
      password: newPassword,
    });
    expect(again.statusCode).toBe(200);
  });

  it('confirm their address by a link in a mail', async () => {
    const client = await signUp(test.app, 'verify@example.com');
    await confirmAddress(test, client, 'verify@example.com');
    expect((await client.get('/api/auth/get-session')).json()).toMatchObject({
      user: { emailVerified: true },
    });
  });

  it('keep the address that Fastify believes, not the one that a header claims', async () => {
    const response = await test.app.inject({
      method: 'POST',
      url: SIGN_UP,
      payload: { email: 'spoof@example.com', name: 'Spoof', password: PASSWORD },
      headers: { 'x-forwarded-for': '6.6.6.6', 'x-client-ip': '6.6.6.6' },
    });
    const { token } = response.json<{ token: string }>();
    const [session] = await test.database.db
      .select({ ip: sessions.ipAddress })
      .from(sessions)
      .where(eq(sessions.token, token));
    expect(session?.ip).toBe('127.0.0.1');
  });
});

describe('a forged cookie', () => {
  it.each([
    'app.session_token=x',
    'app.session_token=x.y',
    'app.session_token=%00',
    `app.session_token=${'a'.repeat(4000)}`,
    'app.session_token=;;;=',
  ])('%s opens nothing', async (cookie) => {
    const response = await test.app.inject({
      url: '/api/v1/organizations/acme/test-notes',
      headers: { cookie },
    });
    expect(response.statusCode).toBe(401);
  });

  it('is also one whose signature does not fit its token', async () => {
    const client = await signUp(test.app, 'forger@example.com');
    const forged = client.cookie.replace(/session_token=./, 'session_token=~');
    const response = await test.app.inject({
      url: '/api/v1/organizations/acme/test-notes',
      headers: { cookie: forged },
    });
    expect(response.statusCode).toBe(401);
  });
});

describe('organizations', () => {
  it('take in who accepts an invitation, in the role it names', async () => {
    const { client: owner, organizationId } = await signUpOwner(test.app, 'inviter');
    const guest = await addMember(test, owner, 'guest@example.com', 'viewer');
    expect(test.mails.map((mail) => mail.subject)).toContain('Join inviter');
    const active = await guest.get('/api/auth/organization/get-active-member');
    expect(active.json()).toMatchObject({ organizationId, role: 'viewer' });
  });

  it('take in nobody whom the invitation does not name', async () => {
    const { client: owner } = await signUpOwner(test.app, 'careful');
    const body = await invite(test, owner, { email: 'friend@example.com', role: 'member' });
    const thief = await signUp(test.app, 'thief@example.com');
    const response = await thief.post('/api/auth/organization/accept-invitation', body);
    expect(response.statusCode).toBe(403);
  });

  it('show the ids of invitations, which open the door, to nobody who may not invite', async () => {
    const { client: owner } = await signUpOwner(test.app, 'wary');
    const viewer = await addMember(test, owner, 'curious@example.com', 'viewer');
    const invite = { email: 'chief@example.com', role: 'admin' };
    const invited = await owner.post('/api/auth/organization/invite-member', invite);
    const { id } = invited.json<{ id: string }>();
    expect((await viewer.get('/api/auth/organization/list-invitations')).statusCode).toBe(403);
    const everything = await viewer.get('/api/auth/organization/get-full-organization');
    expect(everything.statusCode).toBe(200);
    expect(everything.body).not.toContain(id);
  });

  it('tell front ends what a member may do', async () => {
    const { client: owner } = await signUpOwner(test.app, 'asked');
    const member = await addMember(test, owner, 'asking@example.com', 'member');
    const may = async (resource: string, action: string) => {
      const body = { permissions: { [resource]: [action] } };
      const response = await member.post('/api/auth/organization/has-permission', body);
      return response.json<{ success: boolean }>().success;
    };
    const table: Record<string, Record<string, readonly string[]>> = permissions;
    for (const [resource, actions] of Object.entries(table)) {
      for (const [action, allowed] of Object.entries(actions)) {
        const answer = await may(resource, action);
        expect([resource, action, answer]).toEqual([resource, action, allowed.includes('member')]);
      }
    }
  });

  it('let only owners and admins invite, and nobody make themselves an owner', async () => {
    const { client: owner } = await signUpOwner(test.app, 'strict');
    const member = await addMember(test, owner, 'plain@example.com', 'member');
    const invite = { email: 'x@example.com', role: 'member' };
    expect((await member.post('/api/auth/organization/invite-member', invite)).statusCode).toBe(
      403,
    );
    const admin = await addMember(test, owner, 'boss@example.com', 'admin');
    const promote = { ...invite, role: 'owner' };
    expect((await admin.post('/api/auth/organization/invite-member', promote)).statusCode).toBe(
      403,
    );
  });

  it('are chosen by members alone', async () => {
    const { organizationId } = await signUpOwner(test.app, 'closed');
    const outsider = await signUp(test.app, 'outsider@example.com');
    const response = await outsider.post('/api/auth/organization/set-active', { organizationId });
    expect(response.statusCode).toBe(403);
    expect((await outsider.get('/api/v1/organizations/closed/test-notes')).statusCode).toBe(404);
  });
});

describe('every route of better-auth', () => {
  it('carries our security headers, CORS and request id', async () => {
    const response = await test.app.inject({
      url: '/api/auth/get-session',
      headers: { origin: 'https://app.example.com', 'x-request-id': 'abc-1' },
    });
    expect(response.headers).toMatchObject({
      'x-request-id': 'abc-1',
      'x-content-type-options': 'nosniff',
      'access-control-allow-origin': 'https://app.example.com',
      'access-control-allow-credentials': 'true',
    });
  });

  it('refuses large bodies, other content types and unknown origins', async () => {
    const post = (headers: Record<string, string>, payload: string) =>
      test.app.inject({ method: 'POST', url: SIGN_IN, headers, payload });
    const json = { 'content-type': 'application/json' };
    expect((await post(json, `"${'x'.repeat(1_100_000)}"`)).statusCode).toBe(413);
    expect((await post({ 'content-type': 'text/plain' }, '{}')).statusCode).toBe(415);
    expect((await post({ ...json, origin: 'https://evil.example' }, '{}')).statusCode).toBe(403);
  });

  it('is limited where passwords could be guessed', async () => {
    const limited = await startApp({
      database: test.database,
      env: { AUTH_RATE_LIMIT_MAX: '3' },
    });
    const client = new Client(limited.app);
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const response = await client.post(SIGN_IN, {
        email: 'ada@example.com',
        password: `${attempt}`,
      });
      statuses.push(response.statusCode);
    }
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect((await client.get('/api/auth/get-session')).statusCode).toBe(200);
    await limited.app.close();
  });
});
