import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import type { Database } from '../../src/db/database.ts';
import { openDatabase } from '../../src/db/open.ts';
import { withTenant } from '../../src/db/tenant.ts';
import { findJob } from '../../src/modules/jobs/repository.ts';
import { FakeMl, frozen, predictions } from '../ml/fake-ml.ts';
import { createPostgres, loadDump } from '../support/database.ts';
import { ServerProcess } from '../support/process.ts';
import { addJob, addPeople } from './jobs.ts';

// A loaded machine takes long to open an embedded database, and here several processes do.
const TIMEOUT_MS = 120_000;

const directory = mkdtempSync(join(tmpdir(), 'api-jobs-'));
const service = new FakeMl();
const running: ServerProcess[] = [];
let where: { DATABASE_URL: string } | { DATA_DIR: string };
let drop = async () => rmSync(directory, { recursive: true });

beforeAll(async () => {
  await service.start();
  const template = inject('template');
  if ('dump' in template) {
    where = { DATA_DIR: join(directory, 'data') };
    await (await loadDump(template.dump, where.DATA_DIR)).close();
  } else {
    const { url, drop: dropDatabase } = await createPostgres(
      template.server,
      `template ${template.name}`,
    );
    where = { DATABASE_URL: url };
    drop = dropDatabase;
  }
  await inDatabase(addPeople);
});
afterAll(async () => {
  for (const server of running) await server.kill();
  await service.kill();
  await drop();
});

/** Between two processes: an embedded database belongs to one at a time. */
async function inDatabase<Result>(work: (database: Database) => Promise<Result>): Promise<Result> {
  const database = await openDatabase(loadConfig({ DATABASE_POOL_MAX: '2', ...where }));
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

async function startWorker(env: Record<string, string> = {}): Promise<ServerProcess> {
  const worker = new ServerProcess('src/commands/worker.ts', {
    ...where,
    ML_URL: service.url,
    ML_JOBS_LEASE_MS: '5000',
    ML_JOBS_POLL_MS: '50',
    ...env,
  });
  running.push(worker);
  await worker.address();
  return worker;
}

const read = (id: string) =>
  inDatabase((database) => withTenant(database, 'red', (tx) => findJob(tx, id)));

it('a job whose worker was killed is finished by another one', {
  timeout: TIMEOUT_MS,
}, async () => {
  const id = await inDatabase(addJob);
  service.answer = frozen;
  const first = await startWorker();
  await expect.poll(() => service.calls.length, { timeout: 60_000 }).toBe(1);
  await first.kill();
  service.answer = predictions;
  const second = await startWorker();
  await second.waitFor(new RegExp(`${id}.*"outcome":"succeeded"`));
  second.child.kill('SIGTERM');
  expect(await second.exit()).toBe(0);
  expect(service.calls).toHaveLength(2);
  expect(await read(id)).toMatchObject({ status: 'succeeded', attempts: 2 });
});

it('a worker that is stopped gives its job back, untried', { timeout: TIMEOUT_MS }, async () => {
  const id = await inDatabase(addJob);
  service.answer = frozen;
  service.calls.length = 0;
  const worker = await startWorker({ ML_JOBS_LEASE_MS: '60000', SHUTDOWN_TIMEOUT_MS: '1000' });
  await expect.poll(() => service.calls.length, { timeout: 60_000 }).toBe(1);
  worker.child.kill('SIGTERM');
  expect(await worker.exit()).toBe(0);
  expect(await read(id)).toMatchObject({ status: 'queued', attempts: 0, leaseToken: null });
});

it('a clean-up that fails holds up no job', { timeout: TIMEOUT_MS }, async () => {
  await inDatabase(({ db }) =>
    db.transaction(async (tx) => {
      await tx.execute(sql`
        create function refuse() returns trigger language plpgsql
        as 'begin raise exception ''nothing is deleted''; end'`);
      await tx.execute(
        sql`create trigger refuse before delete on ml_jobs execute function refuse()`,
      );
    }),
  );
  const id = await inDatabase(addJob);
  service.answer = predictions;
  const worker = await startWorker();
  await worker.waitFor(/ended jobs could not be deleted/);
  await worker.waitFor(new RegExp(`${id}.*"outcome":"succeeded"`));
  worker.child.kill('SIGTERM');
  expect(await worker.exit()).toBe(0);
  await inDatabase(({ db }) => db.execute(sql`drop function refuse() cascade`));
});

it('a worker alone answers probes, and has no routes of the API', {
  timeout: TIMEOUT_MS,
}, async () => {
  service.answer = predictions;
  const worker = await startWorker();
  const { url } = await worker.address();
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect((await fetch(`${url}/api/v1/organizations/acme/jobs`)).status).toBe(404);
  worker.child.kill('SIGTERM');
  expect(await worker.exit()).toBe(0);
});
