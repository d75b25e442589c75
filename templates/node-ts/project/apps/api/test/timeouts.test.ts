import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Problem } from '@app/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineModule } from '../src/module.ts';
import { startApp, type TestApp } from './support/app.ts';
import { unreachableDatabase } from './support/database.ts';
import { ServerProcess, WAIT_MS } from './support/process.ts';

/** Far more than any of these tests takes: only what never ends should end them. */
const NEVER = '600000';

const endless = defineModule({
  name: 'endless',
  register(app) {
    app.post('/endless', () => new Promise(() => undefined));
  },
});

const open: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of open) await close();
});

async function listen(env: Record<string, string>): Promise<TestApp & { port: number }> {
  const test = await startApp({
    database: unreachableDatabase(),
    extraModules: [endless],
    env: {
      REQUEST_TIMEOUT_MS: NEVER,
      HEADERS_TIMEOUT_MS: NEVER,
      CONNECTION_TIMEOUT_MS: NEVER,
      KEEP_ALIVE_TIMEOUT_MS: NEVER,
      ...env,
    },
  });
  const address = await test.app.listen({ host: '127.0.0.1', port: 0 });
  open.push(async () => {
    test.app.server.closeAllConnections();
    await test.close();
  });
  return { ...test, port: Number(new URL(address).port) };
}

/** Sends the lines as they are, and gives all that came back once the server has closed the connection. */
async function talk(port: number, text: string): Promise<string> {
  return everythingFrom(await begin(port, text));
}

async function begin(port: number, text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

async function everythingFrom(socket: Socket): Promise<string> {
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => undefined);
  const signal = AbortSignal.timeout(WAIT_MS);
  await once(socket, 'close', { signal }).catch(() => {
    throw new Error(`the connection is still open, and only this has come: ${received}`);
  });
  return received;
}

function problemIn(response: string) {
  const [head = '', body = ''] = response.split('\r\n\r\n');
  expect(head).toContain('content-type: application/problem+json');
  const problem = Problem.parse(JSON.parse(body));
  expect(head).toContain(`HTTP/1.1 ${problem.status} ${problem.title}`);
  expect(head).toContain(`x-request-id: ${problem.requestId}`);
  return { ...problem, head };
}

const HALF_A_BODY =
  'POST /endless HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"n":';

describe('a caller who is too slow', () => {
  it.each([
    ['a body that stays half-sent', { REQUEST_TIMEOUT_MS: '300' }, HALF_A_BODY],
    [
      'headers that do not end',
      { HEADERS_TIMEOUT_MS: '300', REQUEST_TIMEOUT_MS: '0' },
      'GET / HTTP/1.1\r\nhost: x\r\n',
    ],
  ])('is answered with 408 for %s', async (_name, env, text) => {
    const { port, logs } = await listen(env);
    expect(problemIn(await talk(port, text))).toMatchObject({
      status: 408,
      code: 'request_timeout',
    });
    expect(logs.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  it.each([
    ['keeps a connection that nobody uses', { KEEP_ALIVE_TIMEOUT_MS: '100' }, 'GET /livez'],
    [
      'stays silent for as long as a handler takes',
      { CONNECTION_TIMEOUT_MS: '300' },
      'POST /endless',
    ],
  ])('%s, and loses it', async (_name, env, line) => {
    const { port } = await listen(env);
    const response = await talk(port, `${line} HTTP/1.1\r\nhost: x\r\n\r\n`);
    expect(response.startsWith('HTTP/1.1 200')).toBe(line === 'GET /livez');
  });
});

describe('at SIGTERM', () => {
  it('those who have sent half of a request hold nothing up', async () => {
    const server = new ServerProcess('src/server.ts', {
      DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
      MIGRATE_ON_START: 'false',
      SHUTDOWN_TIMEOUT_MS: '300',
      LOG_LEVEL: 'debug',
    });
    open.push(() => server.kill());
    const { port } = await server.address();
    const sockets = [
      await begin(port, ''),
      await begin(port, 'GET / HTTP/1.1\r\nhost: x\r\n'),
      // The last: when the server has seen it, it has accepted the others, too.
      await begin(port, HALF_A_BODY.replace('/endless', '/api/auth/sign-in/email')),
    ];
    const closed = sockets.map(everythingFrom);
    await server.waitFor(/incoming request/);
    server.child.kill('SIGTERM');
    await Promise.all(closed);
    expect(await server.exit()).toBe(0);
  });
});

describe('what is no request', () => {
  let port: number;
  beforeAll(async () => {
    ({ port } = await listen({}));
  });

  it.each([
    [
      'a method that nobody knows',
      'BREW /livez HTTP/1.1\r\nhost: x\r\n\r\n',
      405,
      'method_not_allowed',
    ],
    ['a TLS greeting', '\x16\x03\x01\x02\x00\x01', 400, 'bad_request'],
    ['no host', 'GET /livez HTTP/1.1\r\n: x\r\n\r\n', 400, 'bad_request'],
    [
      'headers without end',
      `GET / HTTP/1.1\r\nhost: ${'x'.repeat(20_000)}`,
      431,
      'headers_too_large',
    ],
  ])('%s is answered with a problem', async (_name, text, status, code) => {
    const { head, ...problem } = problemIn(await talk(port, text));
    expect(problem).toMatchObject({ status, code });
    expect(head.includes('allow: ')).toBe(status === 405);
  });
});
