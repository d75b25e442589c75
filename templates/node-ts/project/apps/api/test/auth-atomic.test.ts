import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

const NEW_PASSWORD = 'another correct horse';

let test: TestApp;
beforeAll(async () => {
  test = await startApp();
});
afterAll(() => test.close());

/** While `work` runs, the database goes away at each such statement. */
async function awayAt<Result>(statement: string, work: () => Promise<Result>): Promise<Result> {
  const run = (text: string) => test.database.db.execute(sql.raw(text));
  await run(`
    create or replace function away() returns trigger language plpgsql as $$ begin
      raise exception 'terminating connection' using errcode = '57P01';
    end $$`);
  const [, table] = statement.split(' on ');
  await run(`create trigger away before ${statement} for each row execute function away()`);
  return work().finally(() => run(`drop trigger away on ${table}`));
}

const SIGN_UP = '/api/auth/sign-up/email';
const HALF = { name: 'Half', email: 'half@example.com', password: PASSWORD };

const cases: [string, string, () => Promise<() => ReturnType<Client['post']>>][] = [
  ['sign-up', 'insert on accounts', async () => () => new Client(test.app).post(SIGN_UP, HALF)],
  [
    'sign-up whose mail cannot be written',
    'insert on queue.job',
    async () => () => new Client(test.app).post(SIGN_UP, { ...HALF, email: 'mute@example.com' }),
  ],
  [
    'new organization',
    'insert on members',
    async () => {
      const client = await signUp(test.app, 'founder@example.com');
      const body = { name: 'Half', slug: 'half' };
      return () => client.post('/api/auth/organization/create', body);
    },
  ],
  [
    'accepted invitation',
    'insert on members',
    async () => {
      const { client } = await signUpOwner(test.app, 'inviting');
      const email = 'invited@example.com';
      const body = await invite(test, client, { email, role: 'member' });
      const guest = await signUp(test.app, email);
      return () => guest.post('/api/auth/organization/accept-invitation', body);
    },
  ],
  [
    'invitation that replaces another',
    'insert on invitations',
    async () => {
      const { client } = await signUpOwner(test.app, 'again');
      const body = { email: 'twice@example.com', role: 'member' };
      await invite(test, client, body);
      return () => client.post('/api/auth/organization/invite-member', { ...body, resend: false });
    },
  ],
  [
    'password reset',
    'update on accounts',
    async () => {
      const client = await signUp(test.app, 'forgetful@example.com');
      await client.post('/api/auth/request-password-reset', { email: 'forgetful@example.com' });
      const mail = await test.mailTo('forgetful@example.com', 'Choose a new password');
      const [, token] = /reset-password\/([^?]+)/.exec(linkIn(mail)) ?? [];
      const body = { token, newPassword: NEW_PASSWORD };
      return () => client.post('/api/auth/reset-password', body);
    },
  ],
];

describe('what the database goes away from in the middle', () => {
  it.each(cases)('leaves nothing behind and can be tried again: a %s', async (_, at, prepare) => {
    const send = await prepare();
    const refused = await awayAt(at, send);
    expect([refused.statusCode, refused.json().code]).toEqual([503, 'database_unavailable']);
    const again = await send();
    expect(again.statusCode, again.body).toBe(200);
  });
});

it('a sign-up that fails at its very end sends no mail', async () => {
  const run = (text: string) => test.database.db.execute(sql.raw(text));
  const email = 'undone@example.com';
  const posted = async () =>
    (await run(`select from queue.job where data->'payload'->>'to' = '${email}'`)).rows.length;
  await awayAt('insert on members', async () => undefined);
  await run(`create constraint trigger away_at_commit after insert on accounts
    deferrable initially deferred for each row execute function away()`);
  const send = () => new Client(test.app).post(SIGN_UP, { ...HALF, email });
  const refused = await send().finally(() => run('drop trigger away_at_commit on accounts'));
  expect([refused.statusCode, await posted()]).toEqual([503, 0]);
  expect([(await send()).statusCode, await posted()]).toEqual([200, 1]);
});
