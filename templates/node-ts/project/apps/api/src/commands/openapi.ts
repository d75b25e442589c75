import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { exportOpenApi } from './export-openapi.ts';
import { runOrExplain } from './run.ts';

const FILE = fileURLToPath(new URL('../../openapi.json', import.meta.url));

await runOrExplain(async () => {
  const text = await exportOpenApi();
  if (!process.argv.includes('--check')) {
    writeFileSync(FILE, text);
  } else if (readFileSync(FILE, 'utf8') !== text) {
    console.error('apps/api/openapi.json is out of date: run `npm run openapi` and commit it');
    process.exitCode = 1;
  }
});
