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
  const limits = { REQUEST_TIMEOUT_MS: '2000', CONNECTION_TIMEOUT_MS: '2000' };
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
  it('who listens to one process hears, in order, what is told by all', async () => {
    const [one, other] = [await start(), await start()];
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
    }
    for (const each of listeners) each.close();
  });

  it('who is connected is told once, and that they are not, also when their process is killed', async () => {
    const settings = { LIVE_PRESENCE: 'true', LIVE_BEAT_MS: '1000' };
    const [one, other] = [await start(settings), await start(settings)];
    const { cookie, path } = await signUpOwner(one.url, 'present');
    const key = { name: 'watcher', scopes: ['liveEvent:read'] };
    const made = await post(one.url, path.replace('/events', '/api-keys'), key, cookie);
    const { secret } = (await made.json()) as { secret: string };
    const watcher = await Listening.open(other.url + path, { secret });
    await hears(watcher, 'reset');
    const stays = await Listening.open(one.url + path, { cookie });
    await hears(watcher, 'reset', 'presence.came');
    const goes = await Listening.open(other.url + path, { cookie });
    await hears(goes, 'reset');
    expect(await who(other.url, path, cookie)).toEqual(await who(one.url, path, cookie));
    goes.close();
    await one.server.kill();
    await other.server.waitFor(/a process is over/);
    await hears(watcher, 'reset', 'presence.came', 'presence.left');
    expect(await who(other.url, path, cookie)).toEqual([]);
    expect(stays.ended).toBe(true);
    watcher.close();
    await other.server.kill();
  });

  it('who listens hears what was told while the database was away from the process', async () => {
    const proxy = new DatabaseProxy(env.DATABASE_URL ?? '');
    const away = await start({ DATABASE_URL: await proxy.start(), LIVE_BEAT_MS: '100' });
    const other = await start();
    const { cookie, id, path } = await signUpOwner(other.url, 'away');
    const listening = await Listening.open(away.url + path, { cookie });
    await hears(listening, 'reset');
    await post(other.url, `/tell/${id}/before`, {});
    await hears(listening, 'reset', 'note.before');
    proxy.refuse();
    await away.server.waitFor(/hears of live events was lost/);
    await post(other.url, `/tell/${id}/meanwhile`, {});
    proxy.open();
    await hears(listening, 'reset', 'note.before', 'note.meanwhile');
    await post(other.url, `/tell/${id}/after`, {});
    await hears(listening, 'reset', 'note.before', 'note.meanwhile', 'note.after');
    expect(listening.ended).toBe(false);
    listening.close();
    await away.server.kill();
    await proxy.stop();
  });

  it('a connection on which nothing comes any more is given up', async () => {
    const proxy = new DatabaseProxy(env.DATABASE_URL ?? '');
    const frozen = await start({
      LIVE_DATABASE_URL: await proxy.start(),
      LIVE_BEAT_MS: '100',
      DATABASE_STATEMENT_TIMEOUT_MS: '300',
      DATABASE_ANSWER_TIMEOUT_MS: '300',
    });
    const { cookie, id, path } = await signUpOwner(frozen.url, 'frozen');
    const listening = await Listening.open(frozen.url + path, { cookie });
    await hears(listening, 'reset');
    proxy.freeze();
    await post(frozen.url, `/tell/${id}/written`, {});
    await frozen.server.waitFor(/hears of live events was lost/);
    proxy.open();
    await hears(listening, 'reset', 'note.written');
    listening.close();
    await frozen.server.kill();
    await proxy.stop();
  });
});
