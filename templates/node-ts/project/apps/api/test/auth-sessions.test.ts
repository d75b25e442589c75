import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessOf, ORGANIZATION_PATH } from '../src/auth/access.ts';
import { members, organizations, sessions, users } from '../src/auth/schema.ts';
import { defineModule } from '../src/module.ts';
import {
  addMember,
  Client,
  invite,
  PASSWORD,
  signUp,
  signUpOwner,
  startApp,
  type TestApp,
} from './support/app.ts';
import { READ_NOTES } from './support/notes.ts';

/** Routes as modules have them: below an organization, and, as modules made before 0.7, elsewhere. */
const probes = defineModule({
  name: 'probes',
  register(app, { requires }) {
    const guard = { preParsing: requires(READ_NOTES) };
    app.get('/probe', guard, async (request) => accessOf(request));
    app.get(`${ORGANIZATION_PATH}/probe`, guard, async (request) => accessOf(request));
    app.get('/api/v1/organizations/:organizationId/other', guard, async (request) =>
      accessOf(request),
    );
  },
});

const DAY = 86_400;
let test: TestApp;
beforeAll(async () => {
  test = await startApp({ extraModules: [probes] });
});
afterAll(() => test.close());

const SIGN_IN = '/api/auth/sign-in/email';
const probe = (slug: string) => `/api/v1/organizations/${slug}/probe`;

async function signIn(email: string): Promise<Client> {
  const client = new Client(test.app);
  const response = await client.post(SIGN_IN, { email, password: PASSWORD });
  expect(response.statusCode, response.body).toBe(200);
  return client;
}

/** As if the session had been there, or extended, so many seconds earlier. */
async function age(email: string, seconds: number): Promise<void> {
  await test.database.db.execute(sql`
    update sessions set expires_at = expires_at - make_interval(secs => ${seconds})
    where user_id = (select id from users where email = ${email})`);
}

async function endOf(email: string): Promise<number> {
  const [row] = await test.database.db
    .select({ expiresAt: sessions.expiresAt })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(users.email, email));
  return row?.expiresAt.getTime() ?? 0;
}

describe('a session that is used', () => {
  it('is extended once a day, and its cookie with it', async () => {
    const { client } = await signUpOwner(test.app, 'regular');
    const early = await client.get(probe('regular'));
    expect(early.headers).not.toHaveProperty('set-cookie');

    await age('regular@example.com', 2 * DAY);
    const before = await endOf('regular@example.com');
    const response = await client.get(probe('regular'));
    expect(response.statusCode).toBe(200);
    const cookie = response.cookies.find(({ name }) => name === 'app.session_token');
    expect(cookie).toMatchObject({ maxAge: 7 * DAY, httpOnly: true, path: '/' });
    expect((await endOf('regular@example.com')) - before).toBeGreaterThan((2 * DAY - 60) * 1000);
    expect((await client.get(probe('regular'))).headers).not.toHaveProperty('set-cookie');
  });

  it('ends at its end', async () => {
    const { client } = await signUpOwner(test.app, 'sleeper');
    await age('sleeper@example.com', 7 * DAY);
    const response = await client.get(probe('sleeper'));
    expect(response.statusCode).toBe(401);
  });

  it('is not extended by those who did not want to be remembered', async () => {
    await signUpOwner(test.app, 'passer');
    const client = new Client(test.app);
    const body = { email: 'passer@example.com', password: PASSWORD, rememberMe: false };
    expect((await client.post(SIGN_IN, body)).statusCode).toBe(200);
    await age('passer@example.com', 0.5 * DAY);
    const response = await client.get(probe('passer'));
    expect(response.statusCode).toBe(200);
    expect(response.headers).not.toHaveProperty('set-cookie');
  });

  it('is read together with the membership, in one statement', async () => {
    const { client } = await signUpOwner(test.app, 'frugal');
    const { db } = test.database;
    const execute = db.execute.bind(db);
    const select = db.select.bind(db);
    const statements: string[] = [];
    db.execute = ((query) => {
      statements.push('execute');
      return execute(query);
    }) as typeof db.execute;
    db.select = ((...fields: Parameters<typeof select>) => {
      statements.push('select');
      return select(...fields);
    }) as typeof db.select;
    try {
      expect((await client.get(probe('frugal'))).statusCode).toBe(200);
      expect(statements).toEqual(['execute']);
    } finally {
      db.execute = execute;
      db.select = select;
    }
  });

  it.each([
    ['without its signature', (cookie: string) => cookie.replace(/\.[^.]*$/, '')],
    ['with another signature', (cookie: string) => cookie.replace(/.{8}=$/, 'AAAAAAAA=')],
    ['with another token', (cookie: string) => cookie.replace(/=\w{4}/, '=AAAA')],
  ])('is not opened by its cookie %s', async (what, forge) => {
    const slug = what.replaceAll(' ', '-');
    const { client } = await signUpOwner(test.app, slug);
    const cookie = forge(client.cookie);
    expect(cookie).not.toBe(client.cookie);
    const response = await test.app.inject({ url: probe(slug), headers: { cookie } });
    expect(response.statusCode).toBe(401);
  });
});

describe('the organization in the address', () => {
  it('may be named by id or slug, whatever is active in the session', async () => {
    const { client, organizationId } = await signUpOwner(test.app, 'first');
    const { client: other } = await signUpOwner(test.app, 'second');
    const body = await invite(test, other, { email: 'first@example.com', role: 'viewer' });
    expect((await client.post('/api/auth/organization/accept-invitation', body)).statusCode).toBe(
      200,
    );
    expect((await client.get('/probe')).json()).toMatchObject({ role: 'viewer' });
    for (const named of ['first', organizationId]) {
      const response = await client.get(probe(named));
      expect(response.json()).toMatchObject({ organizationId, role: 'owner' });
    }
  });

  it.each(['nowhere', 'secret', '%00', 'a%20b', "'; drop table members; --"])(
    'answers %s as if it were not there to who does not belong to it',
    async (named) => {
      await test.database.db
        .insert(organizations)
        .values({ id: 'secret-id', name: 'Secret', slug: 'secret' })
        .onConflictDoNothing();
      const client = await signUp(test.app, `${Math.random()}@example.com`);
      const response = await client.get(probe(encodeURI(decodeURI(named))));
      expect(response.statusCode).toBe(404);
      expect(response.json()).toMatchObject({ code: 'organization_not_found' });
    },
  );

  it('is not taken over by an organization whose slug is its id', async () => {
    const { client: owner, organizationId } = await signUpOwner(test.app, 'target');
    const { client } = await signUpOwner(test.app, 'impostor');
    await test.database.db
      .update(organizations)
      .set({ slug: organizationId })
      .where(eq(organizations.slug, 'impostor'));
    const body = await invite(test, client, { email: 'target@example.com', role: 'viewer' });
    await owner.post('/api/auth/organization/accept-invitation', body);
    const response = await owner.get(probe(organizationId));
    expect(response.json()).toMatchObject({ organizationId, role: 'owner' });
  });

  it('is that of our own parameter alone', async () => {
    const { client, organizationId } = await signUpOwner(test.app, 'plain');
    const response = await client.get('/api/v1/organizations/anything/other');
    expect(response.json()).toMatchObject({ organizationId });
  });
});

describe('a second sign-in', () => {
  it('begins in an organization', async () => {
    const { organizationId } = await signUpOwner(test.app, 'returning');
    const client = await signIn('returning@example.com');
    const response = await client.get('/probe');
    expect(response.statusCode, response.body).toBe(200);
    expect(response.json()).toMatchObject({ organizationId });
  });

  it('begins in the one that was used last, else in the oldest', async () => {
    const { client, organizationId } = await signUpOwner(test.app, 'oldest');
    const { client: other, organizationId: newer } = await signUpOwner(test.app, 'newer');
    const body = await invite(test, other, { email: 'oldest@example.com', role: 'viewer' });
    await client.post('/api/auth/organization/accept-invitation', body);
    const again = await signIn('oldest@example.com');
    expect((await again.get('/probe')).json()).toMatchObject({ organizationId: newer });
    await test.database.db.execute(sql`delete from sessions`);
    const later = await signIn('oldest@example.com');
    expect((await later.get('/probe')).json()).toMatchObject({ organizationId });
  });

  it('begins in none that has been left', async () => {
    const { client: owner, organizationId } = await signUpOwner(test.app, 'shrinking');
    const guest = await addMember(test, owner, 'leaving@example.com', 'member');
    await guest.post('/api/auth/organization/leave', { organizationId });
    const rows = await test.database.db.select().from(members);
    expect(rows.filter((row) => row.organizationId === organizationId)).toHaveLength(1);
    const again = await signIn('leaving@example.com');
    expect((await again.get('/probe')).json()).toMatchObject({ code: 'no_active_organization' });
  });
});

describe('a changed password', () => {
  it('ends every other session, and leaves this one where it was', async () => {
    const { client: owner } = await signUpOwner(test.app, 'changer');
    const { client: host, organizationId } = await signUpOwner(test.app, 'host');
    const body = await invite(test, host, { email: 'changer@example.com', role: 'viewer' });
    const thief = await signIn('changer@example.com');
    await owner.post('/api/auth/organization/accept-invitation', body);
    const response = await owner.post('/api/auth/change-password', {
      currentPassword: PASSWORD,
      newPassword: 'quite another password',
    });
    expect(response.statusCode, response.body).toBe(200);
    expect((await thief.get('/probe')).statusCode).toBe(401);
    expect((await owner.get('/probe')).json()).toMatchObject({ organizationId });
  });
});
