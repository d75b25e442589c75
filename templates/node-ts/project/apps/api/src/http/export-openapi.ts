import { buildApp } from '../app.ts';
import { loadConfig } from '../config.ts';
import { openDatabase } from '../db/database.ts';
import { modules } from '../modules/index.ts';

/** The OpenAPI document as text, made from the routes alone: no server, no database. */
export async function exportOpenApi(): Promise<string> {
  // A pool connects at the first query, and there is none.
  const env = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    DATABASE_URL: 'postgresql://nobody@localhost',
  };
  const config = loadConfig(env, modules);
  const database = await openDatabase(config);
  const app = await buildApp({ config, database, modules });
  await app.ready();
  const document = app.swagger();
  await app.close();
  await database.close();
  return `${JSON.stringify(document, null, 2)}\n`;
}
