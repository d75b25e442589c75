import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** A file imports, as a type or as a value, only from its own line or from lines above it. */
const ORDER = [
  ['config.ts', 'environment.ts', 'modules/permissions.ts'],
  ['metrics/', 'traces/'],
  ['db/'],
  ['http/'],
  ['queue/'],
  ['mail/'],
  ['auth/'],
  ['idempotency/'],
  ['module.ts'],
  ['modules/'],
  ['modules/index.ts', 'app.ts', 'serve.ts'],
  ['commands/', 'server.ts'],
];

function rank(file: string): number {
  const exact = ORDER.findIndex((line) => line.includes(file));
  if (exact >= 0) return exact;
  return ORDER.findIndex((line) =>
    line.some((part) => part.endsWith('/') && file.startsWith(part)),
  );
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const paths = [...text.matchAll(/(?:from|import) ?\(?'(\.[^']+\.ts)'/g)].map(([, path]) => path);
  return paths.map((path) => posix.join(posix.dirname(file), path ?? ''));
}

const files = globSync('**/*.ts', { cwd: SRC }).map((file) => file.replaceAll('\\', '/'));

it('knows every file', () => {
  expect(files.filter((file) => rank(file) < 0)).toEqual([]);
  expect(files.flatMap(importsOf).filter((file) => !files.includes(file))).toEqual([]);
});

it('lets imports point in one direction', () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((imported) => rank(imported) > rank(file))
      .map((imported) => `${file} imports ${imported}`),
  );
  expect(wrong).toEqual([]);
});

it('lets no two files import each other, not even over others', () => {
  const circles = files.filter((file) => reachable(file).has(file));
  expect(circles).toEqual([]);
});

function reachable(start: string): Set<string> {
  const seen = new Set<string>();
  const next = importsOf(start);
  for (let file = next.pop(); file !== undefined; file = next.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    next.push(...importsOf(file));
  }
  return seen;
}
