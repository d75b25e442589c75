import { ProblemError } from '../../http/problems.ts';

/** From its first byte to its last, both included. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** How a file is called where it is read, and what it is. */
export interface Labels {
  readonly type: string;
  readonly disposition: string;
}

/** Where bytes lie, under names that are ours: the ids of their rows. */
export interface FileStorage {
  /** Whole, or not at all. It takes bytes as fast as it can write them. */
  write(id: string, bytes: AsyncIterable<Buffer>, size: number, signal: AbortSignal): Promise<void>;
  read(id: string, range: Range): Promise<NodeJS.ReadableStream>;
  /** Also what is not there, and what was never finished. */
  remove(id: string): Promise<void>;
  /** An address of its own for whoever has it; without, links lead to this application. */
  link?(id: string, labels: Labels, seconds: number): Promise<string>;
}

/** For what goes wrong with the storage; problems of the content pass through as they are. */
export function storageFailed(error: unknown): Error {
  if (error instanceof ProblemError) return error;
  return new StorageError(error);
}

/** Not told to callers beyond that it failed; the log has the cause. */
export class StorageError extends ProblemError {
  /** Not its `cause`: a connection refused by a bucket would be taken for one by the database. */
  readonly reason: unknown;

  constructor(reason: unknown) {
    super(503, 'file_storage_unavailable', 'The storage of files cannot be reached: try again');
    this.reason = reason;
  }
}
