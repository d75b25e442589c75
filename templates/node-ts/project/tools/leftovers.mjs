// Finds what a merge or an update from the template has left behind: conflict markers, rejected parts,
// and answers that the next update could not read.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
// Nobody writes by hand in these folders, nor in files of this size.
const skipped = new Set(['.git', '.cache', '.data', '.venv', 'coverage', 'node_modules']);
const largest = 5_000_000;
const marker = /^(<{7}|\|{7}|>{7})( |\r?$)/m;
// What copier writes: a key and its value, the rest of one, an entry of a list, a comment, or nothing.
const answer = /^(\w+:( .*)?|[ #-].*|)$/;

const problems = [...leftovers(''), ...brokenAnswers('.copier-answers.yml')];
if (problems.length > 0) {
  console.error([...problems, 'docs/updating.md tells how to settle this'].join('\n'));
  process.exit(1);
}

function* leftovers(folder) {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !skipped.has(entry.name)) yield* leftovers(path);
    if (!entry.isFile()) continue;
    if (/\.(rej|orig)$/.test(path)) yield `${path}: a part that could not be merged`;
    else if (marker.test(content(path))) yield `${path}: conflict markers`;
  }
}

function content(path) {
  const file = join(root, path);
  return statSync(file).size > largest ? '' : readFileSync(file, 'latin1');
}

/** A project that has left its template has no answers. */
function* brokenAnswers(path) {
  if (!existsSync(join(root, path))) return;
  const lines = content(path).split(/\r?\n/);
  const keys = lines.map((line) => line.match(/^\w+(?=:)/)?.[0]).filter((key) => key !== undefined);
  for (const line of lines) if (!answer.test(line)) yield `${path}: no answer: ${line}`;
  for (const key of new Set(keys.filter((key, at) => keys.indexOf(key) !== at))) {
    yield `${path}: ${key} stands there twice`;
  }
  for (const key of ['_commit', '_src_path', 'stack']) {
    if (!keys.includes(key)) yield `${path}: ${key} is missing`;
  }
}
