import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const SQLITE_BUSY = 5;

/** Two processes in one PGlite directory would destroy it. */
export class DatabaseInUseError extends Error {
  override readonly name = 'DatabaseInUseError';
}

/**
 * Takes a directory for this process and returns what gives it back. The kernel holds the lock, on a
 * file in the directory itself: whoever mounts the same volume meets it, also from another
 * container, and it ends with its holder, also after SIGKILL. Node has no flock; SQLite locks its
 * file in the same way.
 */
export function lockDirectory(directory: string): () => void {
  const file = new DatabaseSync(join(directory, '.lock'), { timeout: 0 });
  try {
    file.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
    throw new DatabaseInUseError(
      `The embedded database in ${directory} is in use by another process: stop it first, or set DATABASE_URL`,
    );
  }
  return () => file.close();
}
