import { globSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { measureConnections } from '../src/db/connections.ts';
import { MailError } from '../src/mail/mailer.ts';
import { sendWith } from '../src/mail/post.ts';
import { listenForScrapes } from '../src/metrics/listen.ts';
import { Prometheus } from '../src/metrics/prometheus.ts';
import { defineModule } from '../src/module.ts';
import { defineJob, enqueue, HopelessJobError, handle } from '../src/queue/job.ts';
import { type Client, confirmAddress, ORIGIN, signUpOwner, type TestApp } from './support/app.ts';
import { keepLog } from './support/jobs.ts';
import { hears, Listening } from './support/listening.ts';
import { ServerProcess } from './support/process.ts';
import { Receiver } from './support/receiver.ts';
import { deliveriesTo, makeEndpoint, PATIENCE, startWithBell } from './support/webhooks.ts';

const EMAIL = 'measured@example.com';
/** What comes from the database is then left out, and nothing else. */
const NO_DATABASE = {
  DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
  MIGRATE_ON_START: 'false',
};
const payload = z.object({});
const hopeless = defineJob({ name: 'test.hopeless', payload });
const repeated = defineJob({ name: 'test.repeated', payload, retryAfterSeconds: 1 });
const failing = defineModule({
  name: 'test-failing',
  register: () => undefined,
  jobs: () => [
    handle(hopeless, async () => {
      throw new HopelessJobError('never');
    }),
    handle(repeated, async (_, { attempt }) => {
      if (attempt === 1) throw new Error('not yet');
    }),
  ],
});

const metrics = new Prometheus();
let test: TestApp & { ring(organizationId: string, text: string): Promise<unknown> };
let owner: Client;
let organizationId: string;
let path: string;
let url: string;
let scrapes: Awaited<ReturnType<typeof listenForScrapes>>;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await Receiver.start();
  test = await startWithBell({ metrics, extraModules: [failing] });
  url = await test.app.listen({ port: 0, host: '127.0.0.1' });
  scrapes = await listenForScrapes(metrics, { host: '127.0.0.1', port: 0 });
  ({ client: owner, organizationId, path } = await signUpOwner(test.app, 'measured'));
});
afterAll(async () => {
  scrapes.close();
  await test.close();
  await receiver.close();
});

/** Every sample, by its name and labels as they are written. */
async function scrape(from = scrapes.url): Promise<Map<string, number>> {
  const response = await fetch(from);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n').filter((line) => /^[a-z]/.test(line));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))] as const;
    }),
  );
}

const sample = async (name: string) => (await scrape()).get(name);
const becomes = (name: string, value: number) =>
  expect.poll(() => sample(name), PATIENCE).toBe(value);
const routes = async () => {
  const names = [...(await scrape()).keys()];
  const counts = names.filter((name) => name.startsWith('http_request_duration_seconds_count'));
  return counts.map((name) => /method="(.*)",route="(.*)",status="(.*)"/.exec(name)?.slice(1));
};

it('counts requests by route, whatever addresses callers make up', async () => {
  const begun = performance.now();
  for (const key of ['a', 'b', 'c']) await fetch(`${url}/no/such/address/${key}?x=${key}`);
  const seconds = (performance.now() - begun) / 1_000;
  const cookie = owner.cookie;
  for (const id of ['x', 'y']) {
    await fetch(`${url}${path}/api-keys/${id}`, { headers: { cookie } });
  }
  await fetch(`${url}/livez`, { method: 'DELETE' });
  await becomes('http_request_duration_seconds_count{method="GET",route="none",status="404"}', 3);
  const sum = 'http_request_duration_seconds_sum{method="GET",route="none",status="404"}';
  expect(await sample(sum)).toBeLessThan(seconds);
  const seen = (await routes()).map((labels) => labels?.join(' '));
  expect(seen).toContain('DELETE /livez 405');
  expect(seen.filter((labels) => labels?.includes('such'))).toEqual([]);
  const ofKeys = seen.filter(
    (labels) => labels?.startsWith('GET') && labels.includes('/api-keys/'),
  );
  expect(ofKeys).toHaveLength(1);
  expect(ofKeys[0]).toContain('/organizations/:');
  expect(await sample('http_requests_in_flight')).toBe(0);
});

it('counts a request while it is under way, and one whose caller hangs up', async () => {
  const headers = {
    origin: ORIGIN,
    cookie: owner.cookie,
    'content-type': 'application/json',
    'content-length': '100',
  };
  const asked = request(`${url}${path}/api-keys`, { method: 'POST', headers });
  asked.on('error', () => undefined);
  asked.write('{');
  await becomes('http_requests_in_flight', 1);
  asked.destroy();
  await becomes('http_requests_in_flight', 0);
  const seen = (await routes()).map((labels) => labels?.join(' '));
  expect(seen).toContain('POST /api/v1/organizations/:organization/api-keys 499');
});

it('says what each metric is, and of which kind', async () => {
  const text = await (await fetch(scrapes.url)).text();
  const names = new Set(
    [...text.matchAll(/^([a-z]\w+?)(?:_bucket|_sum|_count)?[ {]/gm)].map(([, name]) => name),
  );
  const described = new Set(
    [...text.matchAll(/^# HELP (\w+) \S.*\n# TYPE \1 (?:counter|gauge|histogram|summary)$/gm)].map(
      ([, name]) => name,
    ),
  );
  expect(names.size).toBeGreaterThan(30);
  expect([...names].filter((name) => !described.has(name))).toEqual([]);
  expect([...text.matchAll(/^# HELP (\w+)$/gm)]).toEqual([]);
});

it('tells of saturation: the event loop, connections to the database, requests that were shed', async () => {
  const all = await scrape();
  for (const name of [
    'nodejs_eventloop_lag_p99_seconds',
    'database_connections',
    'database_connections_waiting',
    'http_requests_shed_total{reason="event_loop"}',
    'http_requests_shed_total{reason="database"}',
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
  ]) {
    expect(all.get(name), name).toBeGreaterThanOrEqual(0);
  }
  expect(all.get('database_connections_max')).toBe(test.database.mostConnections);
});

it('tells apart connections that are in use, that there may be and that are waited for', async () => {
  const own = new Prometheus();
  measureConnections(own, { inUse: () => 2, mostConnections: 5, waiting: () => 3 });
  const text = await own.scrape();
  expect(text).toMatch(/^database_connections 2$/m);
  expect(text).toMatch(/^database_connections_max 5$/m);
  expect(text).toMatch(/^database_connections_waiting 3$/m);
});

it('counts jobs, mails and webhooks by how they went', async () => {
  await test.app.jobs.start();
  expect(await sample('mails_total{outcome="lost"}')).toBe(0);
  await confirmAddress(test, owner, EMAIL);
  await becomes('mails_total{outcome="sent"}', 1);
  await becomes('jobs_total{kind="mail.send",outcome="done"}', 1);
  expect(await sample('job_duration_seconds_count{kind="mail.send"}')).toBe(1);

  const endpoint = await makeEndpoint(owner, path, receiver.url());
  receiver.reply = (response) => response.writeHead(410).end();
  await test.ring(organizationId, 'ding');
  await becomes('webhook_deliveries_total{outcome="given_up"}', 1);
  expect(await deliveriesTo(owner, path, endpoint)).toMatchObject([{ status: 'failed' }]);
  const working = await makeEndpoint(owner, path, receiver.url('/other'));
  receiver.reset();
  await test.ring(organizationId, 'dong');
  await becomes('webhook_deliveries_total{outcome="delivered"}', 1);
  expect(await deliveriesTo(owner, path, working)).toMatchObject([{ status: 'delivered' }]);
});

it('counts what fails: a job that is tried again, and one that nobody will do', async () => {
  await test.app.jobs.start();
  await enqueue(test.database.db, repeated, {});
  await enqueue(test.database.db, hopeless, {});
  await becomes(`jobs_total{kind="${hopeless.name}",outcome="given_up"}`, 1);
  await becomes(`jobs_total{kind="${repeated.name}",outcome="done"}`, 1);
  expect(await sample(`jobs_total{kind="${repeated.name}",outcome="failed"}`)).toBe(1);
  await becomes(`queue_dead_letters{kind="${hopeless.name}"}`, 1);
});

it.each([
  ['put_off', new MailError('busy', false), false],
  ['lost', new MailError('busy', false), true],
  ['lost', new MailError('no such address', true), false],
])('counts a mail that fails as %s', async (outcome, error, isLast) => {
  const own = new Prometheus();
  const { run } = sendWith({ send: () => Promise.reject(error) }, own);
  const letter = { language: 'en', subject: 'Hello', paragraphs: [] };
  const { log } = keepLog();
  const { signal } = new AbortController();
  const job = { id: '1', attempt: 1, isLast, organizationId: null, signal, log };
  await expect(run({ to: EMAIL, letter }, job)).rejects.toThrow(error.message);
  expect(await own.scrape()).toContain(`mails_total{outcome="${outcome}"} 1`);
});

it('tells how many streams are open, and not how long they were', async () => {
  const stream = await Listening.open(`${url}${path}/events`, { cookie: owner.cookie });
  await hears(stream, 'reset');
  expect(await sample('live_streams_open')).toBe(1);
  stream.close();
  await becomes('live_streams_open', 0);
  expect((await routes()).filter((labels) => labels?.[1]?.endsWith('/events'))).toEqual([]);
});

it('tells what waits in the queue, since when, and what nobody will do', async () => {
  const nobodys = defineJob({ name: 'test.nobody-takes-it', payload: z.object({}) });
  const hour = 3_600_000;
  await enqueue(test.database.db, nobodys, {}, { runAt: new Date(Date.now() + hour) });
  await enqueue(test.database.db, nobodys, {});
  const kind = `kind="${nobodys.name}"`;
  await becomes(`queue_jobs{${kind},state="waiting"}`, 1);
  const all = await scrape();
  expect(all.get(`queue_jobs{${kind},state="later"}`)).toBe(1);
  expect(all.get(`queue_jobs{${kind},state="active"}`)).toBe(0);
  expect(all.get(`queue_oldest_waiting_seconds{${kind}}`)).toBeGreaterThan(0);
  expect(all.get('queue_dead_letters{kind="mail.send"}')).toBe(0);
});

it('leaves out what does not come in time, and tells the rest', async () => {
  const own = new Prometheus(50);
  const help = 'Something.';
  own.gauge({
    name: 'frozen',
    help,
    labels: ['kind'],
    read: () => new Promise<never>(() => undefined),
  });
  own.gauge({ name: 'there', help, read: () => 7 });
  const text = await own.scrape();
  expect(text).toMatch(/^there 7$/m);
  expect(text).not.toMatch(/^frozen/m);
}, 20_000);

it('has everything that the dashboard and the alerts ask for', async () => {
  const cwd = fileURLToPath(new URL('../../../monitoring', import.meta.url));
  const files = ['dashboard.json', 'alerts.yaml'].flatMap((name) => globSync(name, { cwd }));
  const asked = files.flatMap((file) => metricsIn(readFileSync(join(cwd, file), 'utf8')));
  const text = await (await fetch(scrapes.url)).text();
  const kinds = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  const there = kinds.flatMap(([, name, kind]) =>
    kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  expect(asked.filter((name) => !there.includes(name))).toEqual([]);
  expect(asked.length >= 10 || files.length < 2).toBe(true);
});

/** The names in expressions: what has an underscore and is no function and no label's value. */
function metricsIn(text: string): string[] {
  const expressions = [
    ...text.matchAll(/"expr": "(.*)",$/gm),
    ...text.matchAll(/^ +expr: (?:>-\n)?([\s\S]*?)\n +(?:for|labels):/gm),
  ].map(([, expression = '']) => expression.replaceAll(/\\?"[^"]*"/g, ''));
  return expressions.flatMap(
    (expression) => expression.match(/\b[a-z]+_[a-z\d_]+\b(?! ?\()/g) ?? [],
  );
}

it('a worker, as the server, offers them on a port of their own where it is told one', async () => {
  const server = new ServerProcess('src/commands/worker.ts', { ...NO_DATABASE, METRICS_PORT: '0' });
  try {
    const { url: own } = await server.address();
    const [, offered = ''] = await server.waitFor(/"url":"(\S+)","msg":"metrics are offered"/);
    const all = await scrape(offered);
    expect(all.get('process_cpu_seconds_total')).toBeGreaterThan(0);
    expect([...all.keys()].filter((name) => name.startsWith('queue_'))).toEqual([]);
    expect((await fetch(`${own}/metrics`)).status).toBe(404);
    expect((await fetch(new URL('/livez', offered))).status).toBe(404);
    server.child.kill('SIGTERM');
    expect(await server.exit()).toBe(0);
  } finally {
    await server.kill();
  }
});

it('says which port is taken', async () => {
  const { port } = new URL(scrapes.url);
  const server = new ServerProcess('src/server.ts', { ...NO_DATABASE, METRICS_PORT: port });
  expect(await server.exit()).toBe(1);
  expect(server.output).toMatch(/^ {2}METRICS_PORT: .*EADDRINUSE/m);
});
