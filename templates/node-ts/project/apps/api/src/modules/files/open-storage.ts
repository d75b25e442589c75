import { fileURLToPath } from 'node:url';
import { type Config, ConfigError } from '../../config.ts';
import { ProblemError } from '../../http/problems.ts';
import type { FileSettings } from './settings.ts';
import type { FileStorage } from './storage.ts';

const DEFAULT_DIR = fileURLToPath(new URL('../../../../../.data/files', import.meta.url));

/** A bucket where one is named, else a folder; undefined where there is neither. */
export async function openStorage(
  config: Config,
  settings: FileSettings,
): Promise<FileStorage | undefined> {
  const { FILES_BUCKET_URL: url, FILES_BUCKET_KEY: key, FILES_BUCKET_SECRET: secret } = settings;
  if (url !== undefined) {
    if (key === undefined || secret === undefined) {
      const missing = key === undefined ? 'FILES_BUCKET_KEY' : 'FILES_BUCKET_SECRET';
      throw new ConfigError([`${missing}: is required beside FILES_BUCKET_URL`]);
    }
    // Imported here, so that who has no bucket loads nothing for one.
    const { BucketStorage } = await import('./bucket.ts');
    return new BucketStorage({ url, region: settings.FILES_BUCKET_REGION, key, secret });
  }
  const isForDevelopment = config.NODE_ENV !== 'production' && config.DATABASE_URL === undefined;
  const directory = settings.FILES_DIR ?? (isForDevelopment ? DEFAULT_DIR : undefined);
  if (directory === undefined) return undefined;
  const { DiskStorage } = await import('./disk.ts');
  return new DiskStorage(directory);
}

export function notConfigured(): ProblemError {
  const detail = 'Files are off: set FILES_BUCKET_URL, or FILES_DIR for a single instance';
  return new ProblemError(503, 'files_not_configured', detail);
}
