import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type FileStorage, type Range, storageFailed } from './storage.ts';

/** A folder of this machine, for one process or for several that share it. */
export class DiskStorage implements FileStorage {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Under its name only when all of it is on the disk, so that a crash leaves no half of a file. */
  async write(
    id: string,
    bytes: AsyncIterable<Buffer>,
    _size: number,
    signal: AbortSignal,
  ): Promise<void> {
    const path = this.#pathOf(id);
    const unfinished = `${path}.part`;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const handle = await open(unfinished, 'w', 0o600);
      try {
        await handle.writeFile(bytes, { signal });
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(unfinished, path);
      await syncDirectory(dirname(path));
    } catch (error) {
      throw storageFailed(error);
    }
  }

  async read(id: string, { start, end }: Range): Promise<NodeJS.ReadableStream> {
    try {
      // Opened first: once the answer has begun, nothing can be said of what is not there.
      const handle = await open(this.#pathOf(id));
      return handle.createReadStream({ start, end });
    } catch (error) {
      throw storageFailed(error);
    }
  }

  async remove(id: string): Promise<void> {
    const path = this.#pathOf(id);
    await rm(`${path}.part`, { force: true });
    await rm(path, { force: true });
  }

  /** Folders of some hundred files each. */
  #pathOf(id: string): string {
    return join(this.#directory, id.slice(0, 2), id);
  }
}

/** The name of a file is kept by its folder. */
async function syncDirectory(path: string): Promise<void> {
  // Windows opens no folders.
  if (process.platform === 'win32') return;
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
