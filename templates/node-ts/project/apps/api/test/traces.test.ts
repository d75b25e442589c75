import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createPostgres, loadDump } from './support/database.ts';
import { ServerProcess } from './support/process.ts';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
}

interface Batch {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Span['attributes'] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

const CALLER = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' };
const directory = mkdtempSync(join(tmpdir(), 'api-traces-'));
const template = inject('template');
const batches: Batch[] = [];
let away = false;
const collector = createServer(async (request: IncomingMessage, response) => {
  if (away) return;
  if (request.url === '/v1/traces') batches.push(JSON.parse(await text(request)));
  response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
});
let env: Record<string, string>;
let drop = async () => rmSync(directory, { recursive: true });

beforeAll(async () => {
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const { port } = collector.address() as AddressInfo;
  env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_SERVICE_NAME: 'traced',
  };
  if ('dump' in template) {
    env.DATA_DIR = join(directory, 'data');
    await (await loadDump(template.dump, env.DATA_DIR)).close();
    return;
  }
  const database = await createPostgres(template.server, `template ${template.name}`);
  env.DATABASE_URL = database.url;
  drop = database.drop;
});
afterAll(async () => {
  collector.closeAllConnections();
  collector.close();
  await drop();
});

const spans = () =>
  batches.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
  );

it('follows a request into the database and into its job, and says so in the log', async () => {
  const server = new ServerProcess('test/support/job-server.ts', env);
  try {
    const { url } = await server.address();
    const traceparent = `00-${CALLER.trace}-${CALLER.span}-01`;
    const headers = { traceparent };
    expect((await fetch(`${url}/work/7`, { method: 'POST', headers })).status).toBe(202);
    await fetch(`${url}/livez`, { headers });
    await server.waitFor(/work 7 ended/);
    server.child.kill('SIGTERM');
    expect(await server.exit()).toBe(0);
  } finally {
    await server.kill();
  }
  const all = spans();
  expect(JSON.stringify(batches[0]?.resourceSpans[0]?.resource)).toContain('traced');
  const request = all.find(({ name }) => name === 'POST /work/:number');
  expect(request).toMatchObject({ traceId: CALLER.trace, parentSpanId: CALLER.span });
  expect(JSON.stringify(request?.attributes)).toContain('{"intValue":202}');
  expect(all.filter(({ name }) => name.includes('/livez'))).toEqual([]);

  const job = all.find(({ name }) => name === 'job test.work');
  expect(job?.links).toMatchObject([{ traceId: CALLER.trace }]);
  expect(job?.traceId).not.toBe(CALLER.trace);
  const lines = server.output
    .split('\n')
    .filter((line) => line.includes(`"traceId":"${CALLER.trace}"`));
  expect(lines.some((line) => line.includes('request completed'))).toBe(true);
  expect(server.output).toMatch(new RegExp(`"traceId":"${job?.traceId}".*work 7 ended`));

  const statements = all.filter(
    ({ traceId, name }) => traceId === CALLER.trace && name === 'select',
  );
  if ('dump' in template) return;
  const [enqueued] = statements.map(({ attributes }) => JSON.stringify(attributes));
  expect(enqueued).toContain('select enqueue_job($1, $2::jsonb');
  // However often it was quoted.
  expect(JSON.stringify(all)).not.toMatch(/number\W+7/);
});

it('ends in good order while the collector does not answer', async () => {
  away = true;
  const none = { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none', MIGRATE_ON_START: 'false' };
  const server = new ServerProcess('src/server.ts', {
    ...env,
    ...none,
    // Less than the exporter would wait by itself.
    SHUTDOWN_TIMEOUT_MS: '5000',
  });
  try {
    const { url } = await server.address();
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    server.child.kill('SIGTERM');
    expect(await server.exit()).toBe(0);
  } finally {
    await server.kill();
  }
});
