import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { answers, freePort, ROOT, Running, temporaryFolder } from './processes.ts';

/** The processes of this machine that have not ended. */
function processes(): { pid: number; parent: number }[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , state]) => !state?.startsWith('Z'))
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }));
}

/** Every process below one, itself included. */
function processTree(root: number): number[] {
  const all = processes();
  const below = (of: number): number[] =>
    all.filter(({ parent }) => parent === of).flatMap(({ pid }) => [pid, ...below(pid)]);
  return [root, ...below(root)];
}

const DIRECT = [join(ROOT, 'tools/dev.mjs')];
const THROUGH_NPM = [process.env.npm_execpath ?? '', 'run', '--silent', 'dev'];

test.each([
  ['SIGINT', 'the command', DIRECT],
  ['SIGTERM', 'the command', DIRECT],
  ['SIGTERM', 'npm alone', THROUGH_NPM],
] as const)('one command starts both halves; %s to %s stops both', async (signal, _to, command) => {
  const data = temporaryFolder();
  const ml = `http://127.0.0.1:${await freePort()}`;
  const port = await freePort();
  const environment = { PORT: String(port), ML_URL: ml, DATA_DIR: data.path };
  const dev = new Running(
    `http://127.0.0.1:${port}`,
    process.execPath,
    [...command],
    ROOT,
    environment,
  );
  try {
    await dev.ready();
    expect(await answers(`${ml}/readyz`)).toBe(true);
    const pids = processTree(dev.pid);
    expect(pids.length).toBeGreaterThanOrEqual(4);
    const code = await dev.stop(signal);
    if (command === DIRECT) expect(code).toBe(0);
    const left = () => processes().filter(({ pid }) => pids.includes(pid));
    await expect.poll(left, { timeout: 60_000 }).toEqual([]);
  } finally {
    await dev.stop();
    data.remove();
  }
});
