import { buildApp } from '../app.ts';
import { loadConfig } from '../config.ts';
import { openPostgres } from '../db/postgres.ts';
import { modules } from '../modules/index.ts';

/** The OpenAPI document as text, made from the routes alone: no server, no database. */
export async function exportOpenApi(): Promise<string> {
  const config = loadConfig({ NODE_ENV: 'test', LOG_LEVEL: 'silent' }, modules);
  // A pool connects at its first query, and here there is none.
  const database = openPostgres('postgresql://nobody@localhost', config);
  const app = await buildApp({ config, database, modules });
  await app.ready();
  const document = app.swagger();
  await app.close();
  await database.close();
  return `${JSON.stringify(document, null, 2)}\n`;
}
