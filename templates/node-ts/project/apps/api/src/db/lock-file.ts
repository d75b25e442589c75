import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/** Two processes in one PGlite directory would destroy it. */
export class DatabaseInUseError extends Error {
  override readonly name = 'DatabaseInUseError';
}

/** Takes the lock at `path` for this process and returns what gives it back. */
export function lockFile(path: string): () => void {
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(readHolder(path));
    // In a container every start has the same process id, so one's own is a leftover.
    if (holder !== process.pid && isAlive(holder)) {
      throw new DatabaseInUseError(
        `The embedded database is in use by process ${holder}: stop it first, or set DATABASE_URL (lock: ${path})`,
      );
    }
    rmSync(path, { force: true });
  }
}

function readHolder(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
