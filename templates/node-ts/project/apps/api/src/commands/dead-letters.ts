import { loadConfig } from '../config.ts';
import { openDatabase } from '../db/open.ts';
import { readEnvironment } from '../environment.ts';
import { modules } from '../modules/index.ts';
import { listDeadLetters, retryDeadLetters } from '../queue/dead-letters.ts';
import { runOrExplain } from './run.ts';

const USAGE = 'Usage: npm run dead-letters [-- retry (--all | ID…)]';

/** Lists the jobs that have failed for good, one line each, or lets them be tried again. */
await runOrExplain(async () => {
  const [command, ...ids] = process.argv.slice(2);
  const isRetry = command === 'retry' && ids.length > 0;
  if (command !== undefined && !isRetry) {
    console.error(USAGE);
    process.exitCode = 2;
    return;
  }
  const database = await openDatabase(loadConfig(readEnvironment(), modules));
  try {
    if (isRetry) {
      const count = await retryDeadLetters(database, ids[0] === '--all' ? undefined : ids);
      process.stdout.write(`${count} will be tried again\n`);
      return;
    }
    for (const { id, failedAt, name, organizationId, reason } of await listDeadLetters(database)) {
      process.stdout.write(`${id}  ${failedAt}  ${name}  ${organizationId ?? '-'}  ${reason}\n`);
    }
  } finally {
    await database.close();
  }
});
