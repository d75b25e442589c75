import { fileURLToPath } from 'node:url';
import type { Database, DatabaseSettings } from './database.ts';

const DEFAULT_DATA_DIR = fileURLToPath(new URL('../../../../.data/postgres', import.meta.url));

/** PostgreSQL where DATABASE_URL says so, else PGlite: PostgreSQL inside this process. */
export async function openDatabase(settings: DatabaseSettings): Promise<Database> {
  if (settings.DATABASE_URL) {
    const { openPostgres } = await import('./postgres.ts');
    return openPostgres(settings.DATABASE_URL, settings);
  }
  // Imported here, so that a server with a real database never loads the embedded one.
  const { openEmbedded } = await import('./embedded.ts');
  return openEmbedded(settings.DATA_DIR ?? DEFAULT_DATA_DIR);
}
