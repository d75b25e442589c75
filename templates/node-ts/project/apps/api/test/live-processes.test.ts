import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ORIGIN, PASSWORD } from './support/app.ts';
import { createPostgres, loadDump } from './support/database.ts';
import { DatabaseProxy } from './support/database-proxy.ts';
import { hears, Listening, PATIENCE, Talking } from './support/listening.ts';
import { ServerProcess } from './support/process.ts';

const directory = mkdtempSync(join(tmpdir(), 'api-live-'));
const template = inject('template');
const running: ServerProcess[] = [];
let env: Record<string, string>;
let drop = async () => rmSync(directory, { recursive: true });

beforeAll(async () => {
  if ('dump' in template) {
    env = { DATA_DIR: join(directory, 'data') };
    await (await loadDump(template.dump, env.DATA_DIR)).close();
    return;
  }
  const database = await createPostgres(template.server, `template ${template.name}`);
  env = { DATABASE_URL: database.url };
  drop = database.drop;
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

it('streams outlive the limits for requests, and end when the process does', async () => {
  const limits = { REQUEST_TIMEOUT_MS: '300', CONNECTION_TIMEOUT_MS: '300', LIVE_BEAT_MS: '60000' };
  const { server, url, port } = await start(limits);
  const { cookie, id, path } = await signUpOwner(url, 'limits');
  const listening = await Listening.open(url + path, { cookie });
  const talking = new Talking(`${url}${path}/socket`, { cookie, origin: ORIGIN });
  await hears(listening, 'reset');
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
  await hears(listening, 'reset', 'note.written');
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
