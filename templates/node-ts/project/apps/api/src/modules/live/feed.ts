import { setImmediate } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Database } from '../../db/database.ts';
import { PAGE, type Read, readAfter, readLast, type StoredEvent } from './events.ts';
import type { Lane } from './lane.ts';
import type { Stream } from './stream.ts';

export interface FeedOptions {
  readonly organizationId: string;
  readonly database: Database;
  readonly lane: Lane;
  readonly log: FastifyBaseLogger;
}

/** The events of one organization, read once and passed on to all of its streams. */
export class Feed {
  readonly streams = new Set<Stream>();
  /** How many streams there are, or are about to be. */
  places = 0;
  readonly #options: FeedOptions;
  /** Up to where all streams are that get events as they happen. */
  #sequence = -1;
  #begun: Promise<void> | undefined;
  #isReading = false;
  /** Whether there is more than has been read. */
  #isBehind = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Finds out where the organization is. Throws where the database does not say. */
  begin(): Promise<void> {
    this.#begun ??= this.#begin().catch((error) => {
      this.#begun = undefined;
      throw error;
    });
    return this.#begun;
  }

  async #begin(): Promise<void> {
    const { database, lane, organizationId } = this.#options;
    this.#sequence = await lane.run(() => readLast(database, organizationId));
    if (this.#isBehind) void this.catchUp();
  }

  get sequence(): number {
    return this.#sequence;
  }

  heard(sequence: number): void {
    if (sequence > this.#sequence) void this.catchUp();
  }

  /** Reads and passes on all that there is; never fails, but is tried again at the next beat. */
  async catchUp(): Promise<void> {
    this.#isBehind = true;
    if (this.#isReading || this.#sequence < 0) return;
    this.#isReading = true;
    try {
      while (this.#isBehind) {
        this.#isBehind = false;
        const read = await this.#read(this.#sequence);
        this.#pass(read);
        if (read.events.length === PAGE) this.#isBehind = true;
        // The embedded database would leave no time for what has been written to go out.
        await setImmediate();
      }
    } catch (error) {
      this.#isBehind = true;
      this.#options.log.warn({ err: error }, 'live events cannot be read yet');
    } finally {
      this.#isReading = false;
    }
  }

  retry(): void {
    if (this.#isBehind) void this.catchUp();
  }

  /** Sends what the client has missed, page by page as it reads them; then it gets what happens. */
  async resume(stream: Stream): Promise<void> {
    for (let isFirst = true; !stream.isOver; isFirst = false) {
      if (stream.sequence === this.#sequence || (!isFirst && stream.sequence > this.#sequence)) {
        stream.isLive = true;
        return;
      }
      const { last, events } = await this.#read(stream.sequence);
      for (const event of events) stream.pass(event);
      // They are deleted, or have never been.
      if (events.length === 0 && last !== stream.sequence) stream.reset(last);
      await stream.drained();
    }
  }

  #read(after: number): Promise<Read> {
    const { database, lane, organizationId } = this.#options;
    return lane.run(() => readAfter(database, organizationId, after));
  }

  #pass({ last, events }: Read): void {
    this.#each((stream) => stream.makeRoom());
    for (const event of events) this.#each((stream) => stream.pass(event));
    const end: StoredEvent | undefined = events.at(-1);
    if (end) this.#sequence = end.sequence;
    else if (last !== this.#sequence) {
      this.#each((stream) => stream.reset(last));
      this.#sequence = last;
    }
  }

  #each(work: (stream: Stream) => void): void {
    for (const stream of this.streams) if (stream.isLive) work(stream);
  }
}
