import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
export const SERVICE = join(ROOT, 'services/ml');
export const PYTHON = join(SERVICE, '.venv/bin/python');
const READY_MS = 240_000;
const STOP_MS = 60_000;

/** A process that is ready when its /readyz says so. */
export class Running {
  readonly url: string;
  readonly output: string[] = [];
  readonly #child: ChildProcess;

  constructor(url: string, command: string, args: string[], cwd: string, env: object) {
    this.url = url;
    this.#child = spawn(command, args, {
      cwd,
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk) => this.output.push(String(chunk)));
    }
  }

  async ready(): Promise<this> {
    const deadline = Date.now() + READY_MS;
    while (!(await answers(`${this.url}/readyz`))) {
      if (this.hasEnded || Date.now() > deadline) throw new Error(this.output.join(''));
      await sleep(50);
    }
    return this;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Its exit code, once the signal has ended it. */
  async stop(name: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.hasEnded) {
      const ended = once(this.#child, 'exit', { signal: AbortSignal.timeout(STOP_MS) });
      this.signal('SIGCONT');
      this.signal(name);
      await ended.catch(() => this.signal('SIGKILL'));
    }
    return this.#child.exitCode;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

export async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(15_000) })).ok;
  } catch {
    return false;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export function startService(port: number, env: object = {}): Promise<Running> {
  const url = `http://127.0.0.1:${port}`;
  const args = ['-m', 'ml', 'serve'];
  return new Running(url, PYTHON, args, SERVICE, { ML_PORT: String(port), ...env }).ready();
}

export function startApi(port: number, ml: string, env: object = {}): Promise<Running> {
  return new Running(
    `http://127.0.0.1:${port}`,
    process.execPath,
    ['src/server.ts'],
    join(ROOT, 'apps/api'),
    {
      NODE_ENV: 'test',
      PORT: String(port),
      ML_URL: ml,
      RATE_LIMIT_MAX: '100000',
      AUTH_RATE_LIMIT_MAX: '100000',
      // The machine may be busy with other things than this application.
      OVERLOAD_EVENT_LOOP_DELAY_MS: '0',
      ...env,
    },
  ).ready();
}

/** A folder of the caller's own; `remove` takes it away. */
export function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), 'e2e-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Signs up, founds an organization, and gives the cookie of its owner. */
export async function signUp(api: string): Promise<string> {
  let cookie = '';
  // Whoever sends cookies says where from, as browsers do: PUBLIC_URL is at localhost.
  const origin = api.replace('127.0.0.1', 'localhost');
  const post = async (path: string, body: object) => {
    const response = await fetch(`${api}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie, origin },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    const cookies = response.headers.getSetCookie().map((line) => line.split(';')[0]);
    if (cookies.length > 0) cookie = cookies.join('; ');
  };
  await post('/api/auth/sign-up/email', {
    name: 'Ada',
    email: 'ada@example.com',
    password: 'correct horse battery staple',
  });
  await post('/api/auth/organization/create', { name: 'Acme', slug: 'acme' });
  return cookie;
}
