import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PER_ORGANIZATION } from '../src/auth/organization-limits.ts';
import {
  type Client,
  confirmAddress,
  invite,
  signUp,
  signUpOwner,
  startApp,
  type TestApp,
} from './support/app.ts';

const AT_ONCE = 6;
const numbers = Array.from({ length: AT_ONCE }, (_, index) => index);

let test: TestApp;
beforeAll(async () => {
  test = await startApp({ env: { ORGANIZATIONS_PER_USER: '3' } });
});
afterAll(() => test.close());

/** Sends all requests at once; how many got 200, and the codes of the others. */
async function race(requests: (() => ReturnType<Client['post']>)[]) {
  const responses = await Promise.all(requests.map((send) => send()));
  const refused = responses.filter(({ statusCode }) => statusCode !== 200);
  return {
    passed: responses.length - refused.length,
    refusals: [...new Set(refused.map((each) => [each.statusCode, each.json().code].join(' ')))],
  };
}

async function count(statement: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await test.database.db.execute<{ count: number }>(statement);
  return Number(rows[0]?.count);
}

/** So many people who only stand in the database. */
async function crowd(name: string, size: number): Promise<void> {
  await test.database.db.execute(sql`
    insert into users (id, name, email)
    select ${name} || n, ${name}, ${name} || n || '@example.com'
    from generate_series(1, ${size}::int) n`);
}

describe('of requests that come at once', () => {
  it.each([
    ['unverified', 1],
    ['verified', 3],
  ])('those of somebody %s make %i organizations', async (who, most) => {
    const email = `${who}@example.com`;
    const client = await signUp(test.app, email);
    if (most > 1) await confirmAddress(test, client, email);
    const { passed, refusals } = await race(
      numbers.map((number) => () => {
        const slug = `${who}-${number}`;
        return client.post('/api/auth/organization/create', { name: slug, slug });
      }),
    );
    expect({ passed, refusals }).toEqual({
      passed: most,
      refusals: ['403 YOU_HAVE_REACHED_THE_MAXIMUM_NUMBER_OF_ORGANIZATIONS'],
    });
    // What was refused is not there: its slug is free.
    const slugs = `${who}-%`;
    const made = sql`select count(*) from organizations where slug like ${slugs}`;
    expect(await count(made)).toBe(most);
  });

  it('one takes the last seat in an organization, and the others stay invited', async () => {
    const { client, organizationId } = await signUpOwner(test.app, 'seats');
    await crowd('seated', PER_ORGANIZATION - 2);
    await test.database.db.execute(sql`
      insert into members (id, organization_id, user_id)
      select id, ${organizationId}, id from users where name = 'seated'`);
    const guests: (() => ReturnType<Client['post']>)[] = [];
    for (const number of numbers) {
      const email = `guest${number}@example.com`;
      const body = await invite(test, client, { email, role: 'member' });
      const guest = await signUp(test.app, email);
      guests.push(() => guest.post('/api/auth/organization/accept-invitation', body));
    }
    expect(await race(guests)).toEqual({
      passed: 1,
      refusals: ['403 ORGANIZATION_MEMBERSHIP_LIMIT_REACHED'],
    });
    const seats = sql`select count(*) from members where organization_id = ${organizationId}`;
    expect(await count(seats)).toBe(PER_ORGANIZATION);
    const waiting = sql`select count(*) from invitations
      where organization_id = ${organizationId} and status = 'pending'`;
    expect(await count(waiting)).toBe(AT_ONCE - 1);
  });

  it('one is the last invitation', async () => {
    const { client, organizationId } = await signUpOwner(test.app, 'inviting');
    await test.database.db.execute(sql`
      insert into invitations (id, organization_id, email, role, expires_at, inviter_id)
      select 'invited' || n, ${organizationId}, 'invited' || n || '@example.com', 'member',
        now() + interval '1 day', m.user_id
      from generate_series(1, ${PER_ORGANIZATION - 1}::int) n, members m
      where m.organization_id = ${organizationId}`);
    const invitations = numbers.map((number) => () => {
      const body = { email: `last${number}@example.com`, role: 'member' };
      return client.post('/api/auth/organization/invite-member', body);
    });
    expect(await race(invitations)).toEqual({
      passed: 1,
      refusals: ['403 INVITATION_LIMIT_REACHED'],
    });
    const all = sql`select count(*) from invitations where organization_id = ${organizationId}`;
    expect(await count(all)).toBe(PER_ORGANIZATION);
  });
});
