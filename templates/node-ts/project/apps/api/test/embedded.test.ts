import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, inject, it } from 'vitest';
import { DatabaseInUseError, lockDirectory } from '../src/db/directory-lock.ts';
import { loadDump } from './support/database.ts';
import { ServerProcess } from './support/process.ts';

const directory = mkdtempSync(join(tmpdir(), 'api-lock-'));
const running: ServerProcess[] = [];
afterAll(async () => {
  for (const server of running) await server.kill();
  rmSync(directory, { recursive: true });
});

function start(env: Record<string, string>): ServerProcess {
  const server = new ServerProcess('src/server.ts', env);
  running.push(server);
  return server;
}

it('a directory has one holder, and is free again when that one gives it back', () => {
  const unlock = lockDirectory(directory);
  expect(() => lockDirectory(directory)).toThrow(DatabaseInUseError);
  unlock();
  lockDirectory(directory)();
});

it('a second process on the same volume is refused, until the first has been killed', async () => {
  const env = { DATA_DIR: join(directory, 'data') };
  const template = inject('template');
  if ('dump' in template) await (await loadDump(template.dump, env.DATA_DIR)).close();

  const first = start(env);
  await first.address();
  const second = start(env);
  await second.waitFor(/in use by another process: .*\n|listening at/);
  expect(second.output).toMatch(
    /^The embedded database in .* is in use by another process: .*\n$/m,
  );
  expect(await second.exit()).toBe(1);

  await first.kill();
  await start(env).address();
});
