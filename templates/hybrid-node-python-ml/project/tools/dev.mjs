// Starts the machine learning service and, once it is ready, the API; one signal stops both.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const GRACE_MS = 10_000;
const READY_MS = 60_000;
const windows = process.platform === 'win32';
const root = new URL('../', import.meta.url);
const service = new URL('services/ml/', root);
const python = new URL(windows ? '.venv/Scripts/python.exe' : '.venv/bin/python', service);

if (!existsSync(python) || !existsSync(new URL('models/aliases.json', service))) {
  console.error('The service is not set up: run `npm run setup`');
  process.exit(1);
}
if (existsSync(new URL('.env', root))) process.loadEnvFile(fileURLToPath(new URL('.env', root)));
const url = new URL(process.env.ML_URL ?? 'http://127.0.0.1:8001');

const running = new Set();
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(0));
// npm's shell can end without passing the signal on.
const parent = process.ppid;
const watch = setInterval(() => process.ppid !== parent && stop(0), 500);

start('ml', fileURLToPath(python), ['-m', 'ml', 'serve', '--reload'], service, {
  // PORT and HOST in .env are the API's.
  ML_PORT: url.port || '8001',
  ML_HOST: process.env.ML_HOST ?? '127.0.0.1',
});
await ready();
if (!stopping) {
  const args = ['--watch', '--watch-preserve-output', 'apps/api/src/server.ts'];
  start('api', process.execPath, args, root, {});
}

function start(name, command, args, cwd, env) {
  // A group of its own: what it starts in turn gets the signal too.
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: !windows,
  });
  running.add(child);
  child.on('exit', (code, signal) => {
    running.delete(child);
    if (!stopping) {
      console.error(`${name} has ended (${signal ?? code}): stopping`);
      stop(1);
    }
  });
}

async function ready() {
  const deadline = Date.now() + READY_MS;
  while (!stopping) {
    try {
      if ((await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(1_000) })).ok) return;
    } catch {
      // Not listening yet.
    }
    if (Date.now() > deadline) {
      console.error(`${url.origin}/readyz does not answer: stopping`);
      return stop(1);
    }
    await sleep(100);
  }
}

async function stop(code) {
  if (stopping) return;
  stopping = true;
  process.exitCode = code;
  clearInterval(watch);
  for (const child of running) signalGroup(child, 'SIGTERM');
  const deadline = Date.now() + GRACE_MS;
  while (running.size > 0 && Date.now() < deadline) await sleep(50);
  for (const child of running) signalGroup(child, 'SIGKILL');
}

function signalGroup(child, signal) {
  try {
    if (windows) child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
