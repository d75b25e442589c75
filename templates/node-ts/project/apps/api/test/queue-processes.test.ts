import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createPostgres, loadDump } from './support/database.ts';
import { ServerProcess } from './support/process.ts';

const directory = mkdtempSync(join(tmpdir(), 'api-queue-'));
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
  const server = new ServerProcess('test/support/job-server.ts', { ...env, ...extra });
  running.push(server);
  return { server, ...(await server.address()) };
}

const post = async (url: string, number: number) =>
  (await fetch(`${url}/work/${number}`, { method: 'POST' })).status;

it('loses no job when the process that runs it is killed', async () => {
  const first = await start({ HANG: 'true' });
  for (const number of [1, 2, 3]) expect(await post(first.url, number)).toBe(202);
  await first.server.waitFor(/work 1 begun/);
  await first.server.kill();
  expect(first.server.output).not.toContain('ended');

  const { server } = await start();
  for (const number of [1, 2, 3]) await server.waitFor(new RegExp(`work ${number} ended`));
  server.child.kill('SIGTERM');
  expect(await server.exit()).toBe(0);
});

// Nobody else can open the embedded database.
it.runIf('server' in template)('runs jobs in a process of their own', async () => {
  const api = await start({ JOBS_IN_PROCESS: 'false' });
  const worker = await start({ ONLY_JOBS: 'true', JOBS_IN_PROCESS: 'false' });
  expect(await post(api.url, 4)).toBe(202);
  await worker.server.waitFor(/work 4 ended/);
  expect(api.server.output).not.toContain('work 4 begun');
  expect((await fetch(`${worker.url}/livez`)).status).toBe(200);
  expect((await fetch(`${worker.url}/work/5`, { method: 'POST' })).status).toBe(404);
});
