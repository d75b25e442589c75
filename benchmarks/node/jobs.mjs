// `node jobs.mjs service|bare JOBS`, in a generated project, DATABASE_URL migrated: jobs that do nothing, each enqueued in a
// transaction of its own, then worked through. Prints what both cost this process, and how many there were a second.
import { strictEqual } from 'node:assert';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const API = join(process.cwd(), 'apps/api');
const [which, count] = [process.argv[2], Number(process.argv[3])];
const CLIENTS = 8;
const CONCURRENCY = 5; // the default of JOBS_CONCURRENCY
const ours = (path) => import(pathToFileURL(join(API, 'src', path)));
const theirs = (name) => import(pathToFileURL(createRequire(join(API, 'package.json')).resolve(name)));

let done = 0;
let allDone;
const finished = new Promise((resolve) => {
  allDone = resolve;
});
const work = async () => {
  done += 1;
  if (done === count) allDone();
};

async function measured(task) {
  const [start, before] = [performance.now(), process.cpuUsage()];
  await task();
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / count, a_second: count / ((performance.now() - start) / 1000) };
}

async function byAllClients(task) {
  let left = count;
  const one = async () => {
    while (left > 0) {
      left -= 1;
      await task();
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, one));
}

async function service() {
  const [{ openDatabase }, { defineJob, enqueue, handle }, { JobWorker }] = await Promise.all(
    ['db/open.ts', 'queue/job.ts', 'queue/worker.ts'].map(ours),
  );
  const { z } = await theirs('zod');
  const { fastify } = await theirs('fastify');
  const { createWriteStream } = await import('node:fs');
  const { log } = fastify({ logger: { stream: createWriteStream('/dev/null') } });
  const database = await openDatabase({
    DATABASE_URL: process.env.DATABASE_URL,
    DATABASE_POOL_MAX: CLIENTS,
    DATABASE_CONNECT_TIMEOUT_MS: 5_000,
    DATABASE_STATEMENT_TIMEOUT_MS: 10_000,
    DATABASE_LOCK_TIMEOUT_MS: 5_000,
    DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS: 10_000,
    DATABASE_ANSWER_TIMEOUT_MS: 15_000,
  });
  const job = defineJob({ name: 'bench.nothing', payload: z.object({ number: z.int() }) });
  const worker = new JobWorker({
    database,
    handlers: [handle(job, work)],
    concurrency: CONCURRENCY,
    listen: true,
    log,
  });
  return {
    enqueue: () => database.db.transaction((tx) => enqueue(tx, job, { number: 1 })),
    start: () => worker.start(),
    stop: async () => {
      await worker.stop(5_000);
      await database.close();
    },
  };
}

async function bare() {
  const { PgBoss } = await theirs('pg-boss');
  const { default: pg } = await theirs('pg');
  const connectionString = process.env.DATABASE_URL;
  const pool = new pg.Pool({ connectionString, max: CLIENTS });
  const boss = new PgBoss({ connectionString, schema: 'bare', useListenNotify: true, max: 3 });
  boss.on('error', (error) => {
    throw error;
  });
  await boss.start();
  const queue = 'nothing';
  await boss.createQueue(queue, { notify: true });
  return {
    enqueue: async () => {
      const client = await pool.connect();
      const db = { executeSql: (text, values) => client.query(text, values) };
      await client.query('begin');
      await boss.send(queue, { number: 1 }, { db });
      await client.query('commit');
      client.release();
    },
    start: async () => {
      for (let place = 0; place < CONCURRENCY; place += 1) {
        // Left to itself it would pause after each job, for two seconds unless told otherwise.
        let id = '';
        id = await boss.work(queue, async () => {
          await work();
          boss.notifyWorker(id);
        });
      }
    },
    stop: async () => {
      await boss.stop();
      await pool.end();
    },
  };
}

const side = which === 'bare' ? await bare() : await service();
await side.enqueue();
done -= 1; // what warmed up
const enqueued = await measured(() => byAllClients(side.enqueue));
const worked = await measured(async () => {
  await side.start();
  await finished;
});
await side.stop();
strictEqual(done, count);
console.log(JSON.stringify({ enqueued, worked }));
