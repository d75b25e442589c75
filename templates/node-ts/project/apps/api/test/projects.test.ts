import type { Problem, Project, ProjectPage } from '@app/contracts';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../src/db/tenant.ts';
import { defineModule } from '../src/module.ts';
import { liveEvents } from '../src/modules/live/table.ts';
import { projectCreated, projectDeleted, projectUpdated } from '../src/modules/projects/events.ts';
import { on } from '../src/queue/event.ts';
import {
  addMember,
  type Client,
  signUp,
  signUpOwner,
  startApp,
  type TestApp,
} from './support/app.ts';

const PATH = '/api/v1/organizations/acme/projects';
let test: TestApp;
let owner: Client;

const heard: string[] = [];
const listener = defineModule({
  name: 'listener',
  register: () => undefined,
  jobs: () =>
    [projectCreated, projectUpdated, projectDeleted].map((event) =>
      on(event, { name: `listener.${event.name}` }, async ({ projectId }, { organizationId }) => {
        heard.push(`${organizationId} ${event.name} ${projectId}`);
      }),
    ),
});

beforeAll(async () => {
  test = await startApp({ extraModules: [listener] });
  owner = (await signUpOwner(test.app, 'acme')).client;
});
afterAll(() => test.close());

async function create(name: string, client = owner, path = PATH): Promise<Project> {
  const response = await client.post(path, { name });
  expect(response.statusCode, response.body).toBe(201);
  return response.json();
}

const change = (id: string, etag: string | undefined, payload: object, client = owner) =>
  client.send('PATCH', `${PATH}/${id}`, { payload, headers: etag ? { 'if-match': etag } : {} });

describe('a project', () => {
  it('is created, read, changed and deleted', async () => {
    const created = await owner.post(PATH, { name: '  Apollo  ', description: 'To the moon' });
    expect(created.statusCode).toBe(201);
    const project = created.json<Project>();
    expect(project).toMatchObject({ name: 'Apollo', status: 'active', version: 1 });
    expect(created.headers).toMatchObject({ location: `${PATH}/${project.id}`, etag: '"1"' });

    const read = await owner.get(`${PATH}/${project.id}`);
    expect(read.json()).toEqual(project);

    const changed = await change(project.id, read.headers.etag as string, { status: 'archived' });
    expect(changed.json()).toMatchObject({ name: 'Apollo', status: 'archived', version: 2 });
    expect(changed.headers.etag).toBe('"2"');

    const url = `${PATH}/${project.id}`;
    expect((await owner.send('DELETE', url)).statusCode).toBe(204);
    expect((await owner.send('DELETE', url)).statusCode).toBe(404);
    expect((await owner.get(url)).json()).toMatchObject({ code: 'project_not_found' });
  });

  it('tells who wants to hear of it what has happened, and of nothing that has not', async () => {
    const { client, organizationId, path } = await signUpOwner(test.app, 'telling');
    const url = `${path}/projects`;
    const { id } = await create('Heard', client, url);
    expect((await client.post(url, { name: 'Heard' })).statusCode).toBe(409);
    const patch = (name: string, etag: string) =>
      client.send('PATCH', `${url}/${id}`, { payload: { name }, headers: { 'if-match': etag } });
    expect((await patch('Stale', '"7"')).statusCode).toBe(412);
    expect((await patch('Changed', '"1"')).statusCode).toBe(200);
    for (const status of [204, 404]) {
      expect((await client.send('DELETE', `${url}/${id}`)).statusCode).toBe(status);
    }
    await test.app.jobs.start();
    const told = ['created', 'deleted', 'updated'];
    await expect
      .poll(() => heard.filter((each) => each.startsWith(organizationId)).toSorted(), {
        timeout: 60_000,
      })
      .toEqual(told.map((what) => `${organizationId} projects.${what} ${id}`));
  });

  it('does not say which organization it belongs to', async () => {
    expect(Object.keys(await create('Discreet'))).not.toContain('organizationId');
  });

  it('refuses a change made to an older version, and the one that names none', async () => {
    const { id } = await create('Contested');
    expect((await change(id, '"1"', { name: 'First' })).statusCode).toBe(200);
    const second = await change(id, '"1"', { name: 'Second' });
    expect(second.statusCode).toBe(412);
    expect(second.json()).toMatchObject({ code: 'stale_version' });
    expect((await change(id, undefined, { name: 'Third' })).statusCode).toBe(428);
    expect((await change(id, 'W/"x"', { name: 'Fourth' })).statusCode).toBe(412);
    expect((await owner.get(`${PATH}/${id}`)).json()).toMatchObject({ name: 'First' });
  });

  it('is changed and deleted in one of the versions that If-Match lists, and in no other', async () => {
    const { id } = await create('Versioned');
    for (const version of [1, 2]) await change(id, `"${version}"`, { name: 'Versioned' });
    expect((await change(id, '"1", "2"', { name: 'Stale' })).statusCode).toBe(412);
    expect((await change(id, '"1", "3"', { name: 'Fresh' })).statusCode).toBe(200);
    const url = `${PATH}/${id}`;
    const remove = (etag: string) => owner.send('DELETE', url, { headers: { 'if-match': etag } });
    const stale = await remove('"1", "3"');
    expect([stale.statusCode, stale.json().code]).toEqual([412, 'stale_version']);
    expect((await owner.get(url)).json()).toMatchObject({ name: 'Fresh', version: 4 });
    expect((await remove('"4"')).statusCode).toBe(204);
    expect((await remove('"4"')).statusCode).toBe(404);
  });

  it('is not created in an organization that is deleted meanwhile', async () => {
    const { organizationId, client, path } = await signUpOwner(test.app, 'vanishing');
    // As if it had gone between the look at the membership and the write.
    const run = (text: string) => test.database.db.execute(sql.raw(text));
    await run(`
      create function organization_goes_first() returns trigger language plpgsql security definer as $$
      begin
        delete from organizations where id = new.organization_id;
        return new;
      end $$`);
    await run(`create trigger organization_goes_first before insert on projects
      for each row when (new.organization_id = '${organizationId}')
      execute function organization_goes_first()`);
    const response = await client.post(`${path}/projects`, { name: 'Too late' });
    await run('drop trigger organization_goes_first on projects');
    expect([response.statusCode, response.json().code]).toEqual([404, 'organization_not_found']);
  });

  it('lets one of two simultaneous changes win', async () => {
    const { id } = await create('Raced');
    const both = await Promise.all(['A', 'B'].map((name) => change(id, '"1"', { name })));
    expect(both.map((response) => response.statusCode).toSorted()).toEqual([200, 412]);
  });

  it('has a name of its own in its organization', async () => {
    const { id } = await create('Unique');
    const again = await owner.post(PATH, { name: 'Unique' });
    expect(again.statusCode).toBe(409);
    expect(again.json()).toMatchObject({ code: 'name_taken' });
    await create('Other');
    expect((await change(id, '"1"', { name: 'Other' })).statusCode).toBe(409);
  });
});

it('is told to those who listen, when it is there, has changed and is gone', async () => {
  const { organizationId, client, path } = await signUpOwner(test.app, 'told');
  const { id } = (await client.post(`${path}/projects`, { name: 'Apollo' })).json();
  await client.send('PATCH', `${path}/projects/${id}`, {
    payload: { status: 'archived' },
    headers: { 'if-match': '*' },
  });
  await client.post(`${path}/projects`, { name: 'Apollo' });
  await client.send('DELETE', `${path}/projects/${id}`);
  const told = await withTenant(test.database, organizationId, (tx) =>
    tx.select().from(liveEvents).orderBy(liveEvents.sequence),
  );
  expect(told.map(({ type, audience, data }) => [type, audience, data])).toEqual([
    ['project.created', 'project:read', { id }],
    ['project.updated', 'project:read', { id }],
    ['project.deleted', 'project:read', { id }],
  ]);
});

describe('the list', () => {
  let client: Client;
  const path = '/api/v1/organizations/lister/projects';
  const names = ['one', 'two', 'three', 'four', '100%', 'a_b'];

  beforeAll(async () => {
    client = (await signUpOwner(test.app, 'lister')).client;
    for (const name of names) await create(name, client, path);
  });

  const list = async (query: string) => {
    const response = await client.get(`${path}?${query}`);
    expect(response.statusCode, response.body).toBe(200);
    return response.json<ProjectPage>();
  };

  it('goes through every project once, newest first', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = await list(`limit=4${cursor && `&cursor=${cursor}`}`);
      seen.push(...page.items.map((item) => item.name));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(names.toReversed());
  });

  it('shows each of those that were made in one moment once', async () => {
    const twin = await signUpOwner(test.app, 'twins');
    const url = `${twin.path}/projects`;
    for (const name of ['a', 'b', 'c']) await create(name, twin.client, url);
    const at = sql`update projects set created_at = now() where organization_id = ${twin.organizationId}`;
    await withTenant(test.database, twin.organizationId, (tx) => tx.execute(at));
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const response = await twin.client.get(`${url}?limit=1${cursor && `&cursor=${cursor}`}`);
      const page: ProjectPage = response.json();
      seen.push(...page.items.map(({ name }) => name));
      cursor = page.nextCursor;
    }
    expect(seen.toSorted()).toEqual(['a', 'b', 'c']);
  });

  it('is not disturbed by a project that appears between two pages', async () => {
    const first = await list('limit=4');
    const { id } = await create('newcomer', client, path);
    const second = await list(`limit=4&cursor=${first.nextCursor}`);
    expect(second.items.map((item) => item.name)).toEqual(['two', 'one']);
    await client.send('DELETE', `${path}/${id}`);
  });

  it('filters by status and by part of the name, taken literally', async () => {
    expect((await list('status=archived')).items).toEqual([]);
    expect((await list('search=T')).items.map((item) => item.name)).toEqual(['three', 'two']);
    expect((await list('search=%25')).items.map((item) => item.name)).toEqual(['100%']);
    expect((await list('search=_')).items.map((item) => item.name)).toEqual(['a_b']);
  });

  const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  it.each([
    'x',
    '%00',
    "' or 1=1 --",
    encoded(null),
    encoded(['2026-01-01T00:00:00Z']),
    encoded(['not a date', '0190e0c4-0000-7000-8000-000000000000']),
    encoded(['2026-01-01T00:00:00Z', "'; drop table projects; --"]),
    encoded(['-271821-04-20T00:00:00.000Z', '0190e0c4-0000-7000-8000-000000000000']),
  ])('refuses the cursor %j', async (cursor) => {
    const response = await client.get(`${path}?cursor=${encodeURIComponent(cursor)}`);
    expect(response.statusCode).toBe(400);
    expect(response.headers['content-type']).toContain('application/problem+json');
  });

  it.each(['limit=0', 'limit=101', 'limit=ten', 'status=lost', 'search=', 'search=%00'])(
    'refuses the query %s and names the field',
    async (query) => {
      const response = await client.get(`${path}?${query}`);
      expect(response.statusCode).toBe(400);
      const field = `/${query.split('=')[0]}`;
      expect(response.json<Problem>().errors).toMatchObject([{ in: 'query', path: field }]);
    },
  );
});

describe('bad input', () => {
  it.each([
    [{}, '/name'],
    [{ name: 1 }, '/name'],
    [{ name: '   ' }, '/name'],
    [{ name: 'x'.repeat(121) }, '/name'],
    [{ name: 'nul\u0000' }, '/name'],
    [{ name: 'x', description: ['y'] }, '/description'],
    [{ name: 'x', organizationId: 'somebody else' }, ''],
  ])('refuses to create %j and points at %j', async (payload, path) => {
    const response = await owner.post(PATH, payload);
    expect(response.statusCode).toBe(400);
    expect(response.json<Problem>()).toMatchObject({
      code: 'invalid_request',
      errors: [{ in: 'body', path }],
    });
  });

  it('refuses a change of nothing, of the version, and an id that is none', async () => {
    const steady = await create('Steady');
    expect((await change(steady.id, '"1"', {})).statusCode).toBe(400);
    expect((await change(steady.id, '"1"', { version: 7 })).statusCode).toBe(400);
    for (const id of ['1', 'x'.repeat(500)]) {
      const response = await owner.get(`${PATH}/${id}`);
      expect(response.json<Problem>().errors).toMatchObject([{ in: 'params', path: '/id' }]);
    }
  });
});

describe('who may do what', () => {
  it('asks for a session and then for an organization', async () => {
    const stranger = await test.app.inject({ url: PATH });
    expect(stranger.statusCode).toBe(401);
    expect(stranger.json()).toMatchObject({ code: 'unauthenticated', status: 401 });
    const loner = await signUp(test.app, 'loner@example.com');
    const response = await loner.get(PATH);
    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({ code: 'organization_not_found' });
  });

  it.each([
    ['viewer', { read: 200, create: 403, update: 403, delete: 403 }],
    ['member', { read: 200, create: 201, update: 200, delete: 403 }],
    ['admin', { read: 200, create: 201, update: 200, delete: 204 }],
  ])('lets a %s do %j', async (role, expected) => {
    const { id } = await create(`For the ${role}`);
    const client = await addMember(test, owner, `${role}@example.com`, role);
    const statuses = {
      read: (await client.get(`${PATH}/${id}`)).statusCode,
      create: (await client.post(PATH, { name: `By the ${role}` })).statusCode,
      update: (await change(id, '"1"', { description: role }, client)).statusCode,
      delete: (await client.send('DELETE', `${PATH}/${id}`)).statusCode,
    };
    expect(statuses).toEqual(expected);
  });

  it('hides the projects of other organizations', async () => {
    const { id } = await create('Hidden');
    const { client: other, path } = await signUpOwner(test.app, 'rival');
    for (const url of [`${PATH}/${id}`, `${path}/projects/${id}`]) {
      expect((await other.get(url)).statusCode).toBe(404);
      const payload = { name: 'Mine' };
      const headers = { 'if-match': '"1"' };
      expect((await other.send('PATCH', url, { payload, headers })).statusCode).toBe(404);
      expect((await other.send('DELETE', url)).statusCode).toBe(404);
    }
    expect((await other.get(PATH)).json()).toMatchObject({ code: 'organization_not_found' });
    expect((await other.get(`${path}/projects`)).json<ProjectPage>().items).toEqual([]);
    expect((await owner.get(`${PATH}/${id}`)).statusCode).toBe(200);
  });

  it('ends with the membership, even where the session goes on', async () => {
    const email = 'leaver@example.com';
    const leaver = await addMember(test, owner, email, 'member');
    expect((await leaver.get(PATH)).statusCode).toBe(200);
    await owner.post('/api/auth/organization/remove-member', { memberIdOrEmail: email });
    expect((await leaver.get(PATH)).statusCode).toBe(404);
  });
});
