import { loadConfig } from '../config.ts';
import { migrate } from '../db/migrations.ts';
import { openDatabase } from '../db/open.ts';
import { readEnvironment } from '../environment.ts';
import { modules } from '../modules/index.ts';
import { runOrExplain } from './run.ts';

await runOrExplain(async () => {
  const database = await openDatabase(loadConfig(readEnvironment(), modules));
  try {
    const applied = await migrate(database);
    process.stdout.write(
      applied.length > 0 ? `Applied: ${applied.join(', ')}\n` : 'The database is up to date\n',
    );
  } finally {
    await database.close();
  }
});
