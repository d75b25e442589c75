import { and, eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOrganizationRules } from '../src/auth/organization-rules.ts';
import { members, organizations, users } from '../src/auth/schema.ts';
import { sqlState } from '../src/db/errors.ts';
import {
  addMember,
  type Client,
  invite,
  signUp,
  signUpOwner,
  startApp,
  type TestApp,
} from './support/app.ts';

const CHECK_VIOLATION = '23514';
let test: TestApp;
beforeAll(async () => {
  test = await startApp();
});
afterAll(() => test.close());

const post = (client: Client, path: string, body: object) =>
  client.post(`/api/auth/organization/${path}`, body);

async function idOf(email: string): Promise<string> {
  const [user] = await test.database.db
    .select({ id: users.id })
    .from(users)
    .where(eq(users.email, email));
  return user?.id ?? '';
}

async function memberIdOf(organizationId: string, email: string): Promise<string> {
  const [member] = await test.database.db
    .select({ id: members.id })
    .from(members)
    .where(and(eq(members.organizationId, organizationId), eq(members.userId, await idOf(email))));
  return member?.id ?? '';
}

async function ownersOf(organizationId: string): Promise<number> {
  const rows = await test.database.db
    .select({ role: members.role })
    .from(members)
    .where(eq(members.organizationId, organizationId));
  return rows.filter(({ role }) => role.split(',').includes('owner')).length;
}

describe('an invitation', () => {
  it.each([
    ['has been removed', 'remove-member'],
    ['is no admin any more', 'update-member-role'],
    ['has left', 'leave'],
  ])('is worth nothing when whoever sent it %s', async (_, how) => {
    const { client: owner, organizationId } = await signUpOwner(test.app, `gone-by-${how}`);
    const email = `admin-${how}@example.com`;
    const guestEmail = `guest-${how}@example.com`;
    const admin = await addMember(test, owner, email, 'admin');
    const body = await invite(test, admin, { email: guestEmail, role: 'admin' });
    const gone = {
      'remove-member': () => post(owner, how, { memberIdOrEmail: email }),
      'update-member-role': async () =>
        post(owner, how, { memberId: await memberIdOf(organizationId, email), role: 'member' }),
      leave: () => post(admin, how, { organizationId }),
    }[how];
    expect((await gone?.())?.statusCode).toBe(200);

    const guest = await signUp(test.app, guestEmail);
    const refused = await post(guest, 'accept-invitation', body);
    expect(refused.statusCode).toBe(403);
    expect(refused.json()).toMatchObject({ code: 'INVITER_MAY_NOT_INVITE' });
    expect(await memberIdOf(organizationId, guestEmail)).toBe('');

    // Somebody who may invite does it again.
    const again = await invite(test, owner, { email: guestEmail, role: 'admin' });
    expect((await post(guest, 'accept-invitation', again)).statusCode).toBe(200);
  });

  it('makes no owner when whoever sent it is none any more', async () => {
    const { client: owner, organizationId } = await signUpOwner(test.app, 'kingmaker');
    await addMember(test, owner, 'heir@example.com', 'owner');
    const body = await invite(test, owner, { email: 'third@example.com', role: 'owner' });
    const memberId = await memberIdOf(organizationId, 'kingmaker@example.com');
    await post(owner, 'update-member-role', { memberId, role: 'admin' });
    const third = await signUp(test.app, 'third@example.com');
    expect((await post(third, 'accept-invitation', body)).statusCode).toBe(403);
  });
});

describe('the last owner', () => {
  it('cannot leave, be removed, or give the role away', async () => {
    const { client: owner, organizationId } = await signUpOwner(test.app, 'lonely');
    const admin = await addMember(test, owner, 'ambitious@example.com', 'admin');
    const memberId = await memberIdOf(organizationId, 'lonely@example.com');
    const responses = [
      await post(owner, 'leave', { organizationId }),
      await post(owner, 'remove-member', { memberIdOrEmail: 'lonely@example.com' }),
      await post(admin, 'remove-member', { memberIdOrEmail: 'lonely@example.com' }),
      await post(owner, 'update-member-role', { memberId, role: 'member' }),
      await post(admin, 'update-member-role', { memberId, role: 'member' }),
    ];
    for (const { statusCode } of responses) expect([400, 403]).toContain(statusCode);
    expect(await ownersOf(organizationId)).toBe(1);
  });

  it('stays when two owners go at once', async () => {
    const { client: one, organizationId } = await signUpOwner(test.app, 'pair');
    const other = await addMember(test, one, 'partner@example.com', 'owner');
    const responses = await Promise.all(
      [one, other].map((client) => post(client, 'leave', { organizationId })),
    );
    const statuses = responses.map(({ statusCode }) => statusCode).toSorted();
    expect(statuses[0]).toBe(200);
    expect([400, 409]).toContain(statuses[1]);
    expect(await ownersOf(organizationId)).toBe(1);
  });

  it('stays whichever way the account or the role goes', async () => {
    const { organizationId } = await signUpOwner(test.app, 'guarded');
    const { db } = test.database;
    const id = await idOf('guarded@example.com');
    const mine = eq(members.organizationId, organizationId);
    const ways = [
      () => db.delete(users).where(eq(users.id, id)),
      () => db.delete(members).where(mine),
      () => db.update(members).set({ role: 'admin,member' }).where(mine),
    ];
    for (const way of ways) {
      const state = await way().then(() => 'no error', sqlState);
      expect(state).toBe(CHECK_VIOLATION);
    }
    const rules = createOrganizationRules(test.database);
    await expect(rules.refuseLastOwner(id)).rejects.toMatchObject({ body: { code: 'LAST_OWNER' } });
    expect(await ownersOf(organizationId)).toBe(1);
  });

  it('in the database alone is a conflict, and no error of ours', async () => {
    const { client: one, organizationId } = await signUpOwner(test.app, 'racing');
    await addMember(test, one, 'rival@example.com', 'owner');
    // As if the other had gone between better-auth's look and its write.
    const id = await memberIdOf(organizationId, 'rival@example.com');
    const run = (text: string) => test.database.db.execute(sql.raw(text));
    await run(`
      create function rival_goes_first() returns trigger language plpgsql as $$ begin
        if pg_trigger_depth() = 1 then delete from members where id = '${id}'; end if;
        return old;
      end $$`);
    await run(`create trigger rival_goes_first before delete on members
      for each row execute function rival_goes_first()`);
    const response = await post(one, 'leave', { organizationId });
    await run('drop trigger rival_goes_first on members');
    expect(response.statusCode, response.body).toBe(409);
    expect(response.json()).toMatchObject({ code: 'last_owner' });
    expect(await ownersOf(organizationId)).toBe(2);
  });

  it('may delete the organization, and then the account', async () => {
    const { client, organizationId } = await signUpOwner(test.app, 'closing');
    await addMember(test, client, 'staff@example.com', 'member');
    const response = await post(client, 'delete', { organizationId });
    expect(response.statusCode, response.body).toBe(200);
    const { db } = test.database;
    const left = await db.select().from(organizations).where(eq(organizations.id, organizationId));
    expect(left).toEqual([]);
    expect(await ownersOf(organizationId)).toBe(0);
    const id = await idOf('closing@example.com');
    const rules = createOrganizationRules(test.database);
    await rules.refuseLastOwner(id);
    await db.delete(users).where(eq(users.id, id));
    expect(await idOf('closing@example.com')).toBe('');
  });

  it('is none where others are', async () => {
    const { client, organizationId } = await signUpOwner(test.app, 'shared');
    await addMember(test, client, 'co-owner@example.com', 'owner');
    await test.database.db.delete(users).where(eq(users.email, 'shared@example.com'));
    expect(await ownersOf(organizationId)).toBe(1);
  });
});
