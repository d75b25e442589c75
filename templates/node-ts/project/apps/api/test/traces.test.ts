import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as ask, createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { ORIGIN, PASSWORD } from './support/app.ts';
import { createPostgres, loadDump } from './support/database.ts';
import { ServerProcess } from './support/process.ts';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
  readonly status?: { readonly code?: number };
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
}

interface Batch {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Span['attributes'] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLERS_SPAN = 'b7ad6b7169203331';
const CALLER = `00-${TRACE}-${CALLERS_SPAN}-01`;
/** OpenTelemetry's number for what went wrong. */
const ERROR = 2;
/** Long enough that no time and no id of a span holds it by chance. */
const NUMBER = '7081512345678';
/** What callers send, and what is made for them: nothing of it is for whoever reads traces. */
const values: Record<string, string> = {
  email: `${crypto.randomUUID()}@example.com`,
  password: PASSWORD,
  note: `note ${crypto.randomUUID()}`,
  unreadable: crypto.randomUUID().slice(1),
  query: crypto.randomUUID(),
  payload: NUMBER,
};

const directory = mkdtempSync(join(tmpdir(), 'api-traces-'));
const template = inject('template');
const batches: Batch[] = [];
let away = false;
const collector = createServer(async (request: IncomingMessage, response) => {
  if (request.url === '/v1/traces') batches.push(JSON.parse(await text(request)));
  if (away) return;
  response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
});
let env: Record<string, string>;
let output: string;
let drop = async () => rmSync(directory, { recursive: true });

const spans = () =>
  batches.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
  );
const named = (name: string) => spans().filter((span) => span.name === name);
const within = (request: Span | undefined, name: string) =>
  named(name).filter(({ parentSpanId }) => parentSpanId === request?.spanId);

beforeAll(async () => {
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const { port } = collector.address() as AddressInfo;
  env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_SERVICE_NAME: 'traced',
    PUBLIC_URL: ORIGIN,
  };
  if ('dump' in template) {
    env.DATA_DIR = join(directory, 'data');
    await (await loadDump(template.dump, env.DATA_DIR)).close();
  } else {
    const database = await createPostgres(template.server, `template ${template.name}`);
    env.DATABASE_URL = database.url;
    drop = database.drop;
  }
  const server = new ServerProcess('test/support/job-server.ts', env);
  try {
    await use((await server.address()).url);
    await server.waitFor(new RegExp(`work ${NUMBER} ended`));
    server.child.kill('SIGTERM');
    expect(await server.exit()).toBe(0);
  } finally {
    await server.kill();
  }
  output = server.output;
});
afterAll(async () => {
  collector.closeAllConnections();
  collector.close();
  await drop();
});

async function use(url: string): Promise<void> {
  const headers: Record<string, string> = { traceparent: CALLER, origin: ORIGIN };
  const send = async (path: string, status: number, body?: object) => {
    const json = { 'content-type': 'application/json' };
    const response = await fetch(`${url}${path}`, {
      headers: { ...headers, ...(body && json) },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
    const answer = await response.text();
    expect(response.status, answer).toBe(status);
    return { answer, cookies: response.headers.getSetCookie() };
  };
  const type = { 'content-type': 'application/json', 'content-length': '2' };
  const slow = ask(`${url}/work/${NUMBER}`, { method: 'POST', headers: { ...headers, ...type } });
  await new Promise((resolve) => slow.write('{', resolve));
  // The server has begun to read by then.
  await send('/livez', 200);
  slow.end('}');
  const [answered] = await once(slow, 'response');
  expect(answered.resume().statusCode).toBe(202);
  const { email, password, note, unreadable, query } = values;
  const signedUp = await send('/api/auth/sign-up/email', 200, { name: 'Ada', email, password });
  headers.cookie = signedUp.cookies.map((cookie) => cookie.split(';', 1)[0]).join('; ');
  values.cookie = /=([^;.%]{16,})/.exec(headers.cookie)?.[1] ?? '';
  const made = await send('/api/auth/organization/create', 200, { name: 'Ada', slug: 'ada' });
  values.organization = JSON.parse(made.answer).id;
  const notes = '/api/v1/organizations/ada/test-notes';
  await send(notes, 201, { name: note });
  await send(notes, 409, { name: note });
  await send(`${notes}?search=${query}`, 200);
  await send(`/unreadable/${unreadable}`, 500);
}

it('follow a request into the database and into its job, and the log names them', () => {
  expect(JSON.stringify(batches[0]?.resourceSpans[0]?.resource)).toContain('traced');
  const [request] = named('POST /work/:number');
  expect(request).toMatchObject({ traceId: TRACE, parentSpanId: CALLERS_SPAN });
  expect(JSON.stringify(request?.attributes)).toContain('{"intValue":202}');
  expect(spans().filter(({ name }) => name.includes('/livez'))).toEqual([]);

  const [job] = named('job test.work');
  expect(job?.links).toMatchObject([{ traceId: TRACE, spanId: request?.spanId }]);
  expect(job?.traceId).not.toBe(TRACE);
  const lines = output.split('\n').filter((line) => line.includes(`"traceId":"${TRACE}"`));
  expect(lines.some((line) => line.includes('request completed'))).toBe(true);
  expect(output).toMatch(new RegExp(`"traceId":"${job?.traceId}".*work ${NUMBER} ended`));

  if ('dump' in template) return;
  const [enqueued] = within(request, 'select');
  expect(JSON.stringify(enqueued?.attributes)).toContain('select enqueue_job($1, $2::jsonb');
});

// The embedded database has no statements of its own in traces.
it.skipIf('dump' in template)('hold what a request with a body does in its transaction', () => {
  const [created, refused] = named('POST /api/v1/organizations/:organization/test-notes');
  for (const name of ['begin', 'insert', 'commit']) {
    expect(within(created, name), name).toHaveLength(1);
  }
  const [failed] = within(refused, 'insert');
  expect(failed?.status).toEqual({ code: ERROR });
  expect(JSON.stringify(failed?.attributes)).toContain('"error.type"');
  expect(within(refused, 'rollback')).toHaveLength(1);
});

it('tell what failed: an answer that is our fault, and no refusal', () => {
  const [ours] = named('GET /unreadable/:value');
  expect(ours?.status).toEqual({ code: ERROR });
  const [, refused] = named('POST /api/v1/organizations/:organization/test-notes');
  expect(JSON.stringify(refused?.attributes)).toContain('{"intValue":409}');
  expect(refused?.status?.code).not.toBe(ERROR);
});

it.each([...Object.keys(values), 'cookie', 'organization'])('hold no value: %s', (name) => {
  expect(values[name]?.length).toBeGreaterThan(10);
  expect(spans().length).toBeGreaterThan(5);
  expect(JSON.stringify(batches)).not.toContain(values[name]);
});

it('keep of those that begin here their share, and all that a caller keeps', async () => {
  batches.length = 0;
  // And the process ends in good order though the collector does not answer.
  away = true;
  const none = { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none', MIGRATE_ON_START: 'false' };
  const server = new ServerProcess('src/server.ts', {
    ...env,
    ...none,
    OTEL_TRACES_SAMPLER_ARG: '0',
    // Less than the exporter would wait by itself.
    SHUTDOWN_TIMEOUT_MS: '5000',
  });
  try {
    const { url } = await server.address();
    const dropped = CALLER.replace(/01$/, '00');
    for (const traceparent of [undefined, CALLER, dropped]) {
      const headers = traceparent ? { traceparent } : undefined;
      expect((await fetch(`${url}/nothing`, { ...(headers && { headers }) })).status).toBe(404);
    }
    server.child.kill('SIGTERM');
    expect(await server.exit()).toBe(0);
  } finally {
    await server.kill();
  }
  expect(spans()).toMatchObject([{ name: 'GET none', traceId: TRACE }]);
});
