import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { ORIGIN, PASSWORD } from './support/app.ts';
import { createPostgres, loadDump } from './support/database.ts';
import { MailServer, SILENT } from './support/mail-server.ts';
import { ServerProcess } from './support/process.ts';

const ADA = 'ada@example.com';
const PATIENCE = { timeout: 90_000 };
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

async function signUp(url: string): Promise<number> {
  const body = JSON.stringify({ email: ADA, name: 'Ada', password: PASSWORD });
  const headers = { origin: ORIGIN, 'content-type': 'application/json' };
  return (await fetch(`${url}/api/auth/sign-up/email`, { method: 'POST', headers, body })).status;
}

it('loses no job and no mail when the process that is at it is killed', async () => {
  const mails = new MailServer();
  const MAIL_URL = await mails.start();
  mails.answers = SILENT;
  const first = await start({ HANG: 'true', MAIL_URL, CORS_ORIGINS: ORIGIN });
  for (const number of [1, 2, 3]) expect(await post(first.url, number)).toBe(202);
  expect(await signUp(first.url)).toBe(200);
  await first.server.waitFor(/work 1 begun/);
  await expect.poll(() => mails.connections, PATIENCE).toBe(1);
  await first.server.kill();
  expect(first.server.output).not.toContain('ended');

  mails.answers = {};
  const { server } = await start({ MAIL_URL });
  for (const number of [1, 2, 3]) await server.waitFor(new RegExp(`work ${number} ended`));
  await expect.poll(() => mails.messages.length, PATIENCE).toBe(1);
  expect(mails.messages[0]).toContain(`To: ${ADA}`);
  await mails.stop();
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
