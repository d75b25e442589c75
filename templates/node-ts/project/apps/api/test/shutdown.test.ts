import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import config from '../vitest.config.ts';
import { createPostgres, loadDump } from './support/database.ts';
import { ServerProcess, WAIT_MS } from './support/process.ts';

const directory = mkdtempSync(join(tmpdir(), 'api-shutdown-'));
const running: ServerProcess[] = [];
let env: Record<string, string>;
let drop = async () => rmSync(directory, { recursive: true });

beforeAll(async () => {
  const template = inject('template');
  if ('dump' in template) {
    env = { DATA_DIR: join(directory, 'data') };
    await (await loadDump(template.dump, env.DATA_DIR)).close();
    return;
  }
  const database = await createPostgres(template.server);
  env = { DATABASE_URL: database.url };
  drop = database.drop;
});
afterAll(async () => {
  for (const server of running) await server.kill();
  await drop();
});

/** Enough for what never asks the database anything, and much quicker to start. */
const NO_DATABASE = {
  DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
  MIGRATE_ON_START: 'false',
};

async function start(script: string, extra: Record<string, string> = {}) {
  const server = new ServerProcess(script, { ...env, ...extra });
  running.push(server);
  return { server, ...(await server.address()) };
}

describe('at SIGTERM the server', () => {
  it('becomes unready, finishes what runs, closes kept connections, and exits with 0', async () => {
    const { server, port, url } = await start('test/support/slow-server.ts', {
      SHUTDOWN_DELAY_MS: '10000',
      SHUTDOWN_TIMEOUT_MS: '60000',
    });
    const agent = new Agent({ keepAlive: true });
    await readStatus(port, '/livez', agent);
    const slow = fetch(`${url}/slow/12000`);
    await server.waitFor(/slow request begun/);

    server.child.kill('SIGTERM');
    await server.waitFor(/"stopping"/);
    expect(await readStatus(port, '/readyz', agent)).toEqual({ status: 503, connection: 'close' });
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    server.child.kill('SIGTERM');
    server.child.kill('SIGINT');

    await refused(port);
    expect(await (await slow).json()).toEqual({ done: true });
    expect(await server.exit()).toBe(0);
    expect(server.output).toContain('"stopped"');
    expect(server.output).not.toContain('the deadline has passed');
    agent.destroy();
  });

  it('gives up on what takes too long, and still exits with 0', async () => {
    const { server, url } = await start('test/support/slow-server.ts', {
      ...NO_DATABASE,
      SHUTDOWN_TIMEOUT_MS: '300',
    });
    const endless = fetch(`${url}/slow/60000`).catch(() => 'cut off');
    await server.waitFor(/slow request begun/);
    server.child.kill('SIGTERM');
    expect(await endless).toBe('cut off');
    expect(await server.exit()).toBe(0);
  });

  it('gives up on what is stuck in the database, and says so', async () => {
    const { server, url } = await start('test/support/slow-server.ts', {
      SHUTDOWN_TIMEOUT_MS: '300',
    });
    const endless = fetch(`${url}/stuck`).catch(() => 'cut off');
    await server.waitFor(/slow request begun/);
    server.child.kill('SIGTERM');
    expect(await endless).toBe('cut off');
    expect(await server.exit()).toBe(1);
  });
});

describe('the server as shipped', () => {
  it('has no slow route, and says what is wrong when its port is taken', async () => {
    const { server, port, url } = await start('src/server.ts', NO_DATABASE);
    expect((await fetch(`${url}/slow/1`)).status).toBe(404);
    const second = new ServerProcess('src/server.ts', {
      ...NO_DATABASE,
      PORT: String(port),
    });
    running.push(second);
    expect(await second.exit()).toBe(1);
    expect(second.output).toMatch(/EADDRINUSE.*set PORT to a free one\n$/);
    server.child.kill('SIGTERM');
    expect(await server.exit()).toBe(0);
  });

  it.each([
    [
      { PORT: 'x', LOG_LEVEL: 'x' },
      /^The configuration is not valid:\n {2}PORT: .*\n {2}LOG_LEVEL: .*\n$/m,
    ],
    [{ DATABASE_URL: 'postgresql://x@127.0.0.1:1/x' }, /^The database cannot be reached: .*\n$/m],
  ])('with %j ends with a plain message', async (extra, message) => {
    const server = new ServerProcess('src/server.ts', { ...env, ...extra });
    running.push(server);
    expect(await server.exit()).toBe(1);
    expect(server.output).toMatch(message);
  });
});

describe('a test that waits for a server in vain', () => {
  it('shows what the server has written', async () => {
    const { server } = await start('test/support/slow-server.ts', NO_DATABASE);
    await expect(server.waitFor(/in vain/, 0)).rejects.toThrow(/listening at/);
    await expect(server.exit(1)).rejects.toThrow(/^still running.*listening at/s);
  });

  it('does so before its own time is over', () => {
    expect(WAIT_MS).toBeLessThan(config.test?.testTimeout ?? 0);
    expect(WAIT_MS).toBeLessThan(config.test?.hookTimeout ?? 0);
  });
});

/** Waits until nobody listens any more. */
async function refused(port: number): Promise<void> {
  const deadline = Date.now() + 90_000;
  while (await accepts(port)) {
    if (Date.now() > deadline) throw new Error(`port ${port} still accepts connections`);
    await sleep(50);
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function readStatus(port: number, path: string, agent: Agent) {
  return new Promise<{ status: number | undefined; connection: string | undefined }>(
    (resolve, reject) => {
      get({ host: '127.0.0.1', port, path, agent }, (response) => {
        response.resume();
        const { connection } = response.headers;
        response.on('end', () => resolve({ status: response.statusCode, connection }));
      }).on('error', reject);
    },
  );
}
