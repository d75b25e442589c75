import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { loadConfig } from '../src/config.ts';
import type { Database } from '../src/db/database.ts';
import { embedded } from '../src/db/embedded.ts';
import { openDatabase } from '../src/db/open.ts';
import { ORIGIN, PASSWORD, signUpOwner as signUpInApp, startApp } from './support/app.ts';
import { createPostgres, loadDump } from './support/database.ts';
import { DatabaseProxy } from './support/database-proxy.ts';
import { hears, Listening, PATIENCE, Talking } from './support/listening.ts';
import { ServerProcess } from './support/process.ts';

const directory = mkdtempSync(join(tmpdir(), 'api-live-'));
const template = inject('template');
const running: ServerProcess[] = [];
let env: Record<string, string>;
let drop = async () => rmSync(directory, { recursive: true });

/** Signed up without any of the limits that the servers have. */
let limited: { cookie: string; id: string; path: string };

beforeAll(async () => {
  if ('dump' in template) {
    env = { DATA_DIR: join(directory, 'data') };
    limited = await signUpIn(embedded(await loadDump(template.dump, env.DATA_DIR)));
    return;
  }
  const database = await createPostgres(template.server, `template ${template.name}`);
  env = { DATABASE_URL: database.url };
  drop = database.drop;
  limited = await signUpIn(await openDatabase(loadConfig(env)));
});
afterAll(async () => {
  for (const server of running) await server.kill();
  await drop();
});

async function start(extra: Record<string, string> = {}) {
  const settings = { CORS_ORIGINS: ORIGIN, JOBS_IN_PROCESS: 'false', ...extra };
  const server = new ServerProcess('test/support/live-server.ts', { ...env, ...settings });
  running.push(server);
  return { server, ...(await server.address()) };
}

async function post(url: string, path: string, body: object, cookie = '') {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: ORIGIN, cookie, connection: 'close' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return response;
}

/** A new person with an organization of theirs. */
async function signUpOwner(url: string, slug: string) {
  const person = { email: `${slug}@example.com`, name: slug, password: PASSWORD };
  const signedUp = await post(url, '/api/auth/sign-up/email', person);
  const cookie = signedUp.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ');
  const made = await post(url, '/api/auth/organization/create', { name: slug, slug }, cookie);
  const { id } = (await made.json()) as { id: string };
  return { cookie, id, path: `/api/v1/organizations/${slug}/events` };
}

async function signUpIn(database: Database) {
  const test = await startApp({ database });
  const { client, organizationId, path } = await signUpInApp(test.app, 'limited');
  await test.close();
  return { cookie: client.cookie, id: organizationId, path: `${path}/events` };
}

/** Who is connected. */
async function who(url: string, path: string, cookie: string): Promise<string[]> {
  const address = url + path.replace('/events', '/presence');
  const response = await fetch(address, { headers: { cookie, connection: 'close' } });
  return ((await response.json()) as { userIds: string[] }).userIds;
}

it('streams outlive the limits for requests, and end when the process does', async () => {
  const limits = { REQUEST_TIMEOUT_MS: '5000', CONNECTION_TIMEOUT_MS: '5000' };
  const { server, url, port } = await start({
    ...limits,
    LIVE_BEAT_MS: '60000',
    LIVE_PRESENCE: 'true',
  });
  const { cookie, id, path } = limited;
  const listening = await Listening.open(url + path, { cookie });
  await hears(listening, 'reset', 'presence.came');
  expect(await who(url, path, cookie)).toHaveLength(1);
  const talking = new Talking(`${url}${path}/socket`, { cookie, origin: ORIGIN });
  await hears(talking, 'reset');
  // Both limits are over for whoever came later.
  const idle = connect(port, '127.0.0.1');
  idle.resume();
  await once(idle, 'close', { signal: AbortSignal.timeout(90_000) });
  const late = connect(port, '127.0.0.1');
  late.write('POST /tell HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\n');
  late.resume();
  await once(late, 'close', { signal: AbortSignal.timeout(90_000) });

  await post(url, `/tell/${id}/written`, {});
  await hears(listening, 'reset', 'presence.came', 'note.written');
  await hears(talking, 'reset', 'note.written');
  server.child.kill('SIGTERM');
  expect(await server.exit()).toBe(0);
  expect(server.output).not.toContain('the deadline has passed');
  await expect.poll(() => [listening.ended, talking.code], PATIENCE).toEqual([true, 1001]);
});

// Nobody else can open the embedded database, and nothing is between it and the process.
describe.runIf('server' in template)('with PostgreSQL', () => {
  let proxies: { pool: DatabaseProxy; listener: DatabaseProxy };
  let one: Awaited<ReturnType<typeof start>>;
  let other: Awaited<ReturnType<typeof start>>;

  beforeAll(async () => {
    const target = env.DATABASE_URL ?? '';
    proxies = { pool: new DatabaseProxy(target), listener: new DatabaseProxy(target) };
    one = await start();
    other = await start({
      DATABASE_URL: await proxies.pool.start(),
      LIVE_DATABASE_URL: await proxies.listener.start(),
      LIVE_BEAT_MS: '100',
      DATABASE_STATEMENT_TIMEOUT_MS: '1000',
      DATABASE_ANSWER_TIMEOUT_MS: '1000',
    });
  });
  afterAll(async () => {
    for (const { server } of [one, other]) await server.kill();
    for (const proxy of Object.values(proxies)) await proxy.stop();
  });

  it('who listens to one process hears, in order, what is told by all', async () => {
    const { cookie, id, path } = await signUpOwner(one.url, 'both');
    const listeners = await Promise.all(
      [one, other, other].map(({ url }) => Listening.open(url + path, { cookie })),
    );
    for (const each of listeners) await hears(each, 'reset');
    const all = Array.from({ length: 40 }, (_, index) => [one, other][index % 2] ?? one);
    await Promise.all(all.map(({ url }) => post(url, `/tell/${id}/written`, {})));
    for (const each of listeners) {
      await expect.poll(() => each.messages.length, PATIENCE).toBe(41);
      expect(each.sequences).toEqual(Array.from({ length: 41 }, (_, index) => index));
      each.close();
    }
  });

  it('who listens hears what was told while the database was away, or said nothing', async () => {
    const { cookie, id, path } = await signUpOwner(one.url, 'away');
    const listening = await Listening.open(other.url + path, { cookie });
    await hears(listening, 'reset');
    for (const proxy of Object.values(proxies)) proxy.refuse();
    await other.server.waitFor(/hears of live events was lost/);
    await post(one.url, `/tell/${id}/meanwhile`, {});
    for (const proxy of Object.values(proxies)) proxy.open();
    await hears(listening, 'reset', 'note.meanwhile');
    await post(one.url, `/tell/${id}/after`, {});
    await hears(listening, 'reset', 'note.meanwhile', 'note.after');

    other.server.output = '';
    proxies.listener.freeze();
    await post(one.url, `/tell/${id}/frozen`, {});
    await other.server.waitFor(/hears of live events was lost/);
    proxies.listener.open();
    await hears(listening, 'reset', 'note.meanwhile', 'note.after', 'note.frozen');
    expect(listening.ended).toBe(false);
    listening.close();
  });

  it('who is connected is told once, and that they are not, also when their process is killed', async () => {
    const settings = { LIVE_PRESENCE: 'true', LIVE_BEAT_MS: '1000' };
    const [first, second] = [await start(settings), await start(settings)];
    const { cookie, path } = await signUpOwner(first.url, 'present');
    const key = { name: 'watcher', scopes: ['liveEvent:read'] };
    const made = await post(first.url, path.replace('/events', '/api-keys'), key, cookie);
    const { secret } = (await made.json()) as { secret: string };
    const watcher = await Listening.open(second.url + path, { secret });
    await hears(watcher, 'reset');
    const stays = await Listening.open(first.url + path, { cookie });
    await hears(watcher, 'reset', 'presence.came');
    const goes = await Listening.open(second.url + path, { cookie });
    await hears(goes, 'reset');
    expect(await who(second.url, path, cookie)).toEqual(await who(first.url, path, cookie));
    goes.close();
    await first.server.kill();
    await second.server.waitFor(/a process is over/);
    await hears(watcher, 'reset', 'presence.came', 'presence.left');
    expect(await who(second.url, path, cookie)).toEqual([]);
    expect(stays.ended).toBe(true);
    watcher.close();
    await second.server.kill();
  });
});
