import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { type Access, may } from '../../auth/access.ts';
import { rolesOf } from '../../auth/still-there.ts';
import type { Database } from '../../db/database.ts';
import { ProblemError } from '../../http/problems.ts';
import { Feed } from './feed.ts';
import { Lane } from './lane.ts';
import { Listener } from './listener.ts';
import type { Presence } from './presence.ts';
import type { Sink } from './sink.ts';
import { Stream } from './stream.ts';

export interface HubOptions {
  readonly database: Database;
  readonly log: FastifyBaseLogger;
  readonly listenUrl: string | undefined;
  readonly beatMs: number;
  readonly streamsPerUser: number;
  readonly bufferBytes: number;
  readonly presence: Presence | undefined;
}

/** Of the pool's connections, so many at most are busy with streams. */
const CONNECTIONS = 2;
const BEATS_AT_ONCE = 200;
/** How long clients may take to say goodbye when the process stops. */
const GOODBYE_MS = 500;

/** That of one stream: counted from before it is opened until it is gone. */
export interface Place {
  readonly access: Access;
  readonly feed: Feed;
}

/** All streams of this process: one connection that hears, one timer, one question who may stay. */
export class Hub {
  readonly #options: HubOptions;
  readonly #lane = new Lane(CONNECTIONS);
  readonly #listener: Listener;
  readonly #feeds = new Map<string, Feed>();
  readonly #streams = new Set<Stream>();
  readonly #perUser = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #isBeating = false;

  constructor(options: HubOptions) {
    this.#options = options;
    const { database, log, listenUrl } = options;
    this.#listener = new Listener({
      driver: database.driver,
      url: listenUrl,
      log,
      heard: (organizationId, sequence) => this.#feeds.get(organizationId)?.heard(sequence),
      listening: () => {
        for (const feed of this.#feeds.values()) void feed.catchUp();
      },
    });
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Takes the place of a stream that is going to be opened. Throws where the user has no more of them. */
  enter(access: Access): Place {
    const { userId, organizationId } = access;
    const mine = this.#perUser.get(userId) ?? 0;
    if (mine >= this.#options.streamsPerUser) {
      throw new ProblemError(429, 'too_many_streams', 'Close one of the streams that you have');
    }
    this.#perUser.set(userId, mine + 1);
    const feed = this.#feeds.get(organizationId) ?? this.#newFeed(organizationId);
    feed.places += 1;
    this.#listener.start();
    return { access, feed };
  }

  /** For every place that was taken, once. */
  leave({ access: { userId, organizationId }, feed }: Place): void {
    const left = (this.#perUser.get(userId) ?? 1) - 1;
    if (left > 0) this.#perUser.set(userId, left);
    else this.#perUser.delete(userId);
    feed.places -= 1;
    if (feed.places === 0) this.#feeds.delete(organizationId);
  }

  /** `after` is the number of the last event that the client knows of. The feed has begun. */
  open({ access, feed }: Place, sink: Sink, after: number | undefined): Stream {
    const { bufferBytes, log } = this.#options;
    const stream = new Stream(access, after ?? feed.sequence, sink, {
      bufferBytes,
      slow: () => log.info(ofWhom(access), 'a client that reads too slowly was cut off'),
    });
    feed.streams.add(stream);
    this.#streams.add(stream);
    this.#timer ??= setInterval(() => void this.#beat(), this.#options.beatMs);
    if (!access.apiKey) this.#options.presence?.came(access);
    if (after === undefined) stream.reset(feed.sequence);
    feed.resume(stream).catch((error) => {
      log.warn({ err: error, ...ofWhom(access) }, 'a stream could not be resumed');
      stream.end('failed');
    });
    return stream;
  }

  /** When the client is gone. */
  close(place: Place, stream: Stream): void {
    stream.isOver = true;
    place.feed.streams.delete(stream);
    this.#streams.delete(stream);
    this.leave(place);
    if (!place.access.apiKey) this.#options.presence?.went(place.access);
  }

  /** Ends all streams, so that nothing waits for them. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    for (const stream of this.#streams) stream.end('stopping');
    setTimeout(() => {
      for (const stream of this.#streams) stream.cut();
    }, GOODBYE_MS).unref();
    // A database that does not answer finds out by itself, later.
    const told = Promise.allSettled([this.#listener.stop(), this.#options.presence?.stop()]);
    await Promise.race([told, sleep(GOODBYE_MS, undefined, { ref: false })]);
  }

  #newFeed(organizationId: string): Feed {
    const { database, log } = this.#options;
    const feed = new Feed({ organizationId, database, lane: this.#lane, log });
    this.#feeds.set(organizationId, feed);
    return feed;
  }

  async #beat(): Promise<void> {
    // One at a time: a database that takes long is not asked again meanwhile.
    if (this.#isBeating) return;
    this.#isBeating = true;
    try {
      await this.#beatAll();
      for (const feed of this.#feeds.values()) feed.retry();
      await this.#listener.check();
      await this.#checkAccess();
      await this.#options.presence?.beat();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'could not ask who may still listen');
    } finally {
      this.#isBeating = false;
    }
  }

  /** Requests come in between: thousands of streams must not look like an overload. */
  async #beatAll(): Promise<void> {
    // After a pause of the process, what has come meanwhile is read first.
    await setImmediate();
    let count = 0;
    for (const stream of this.#streams) {
      stream.beat();
      count += 1;
      if (count % BEATS_AT_ONCE === 0) await setImmediate();
    }
  }

  async #checkAccess(): Promise<void> {
    const streams = [...this.#streams];
    const all = streams.map(({ access }) => access);
    const roles = await this.#lane.run(() => rolesOf(this.#options.database, all));
    for (const stream of streams) {
      const role = roles.get(stream.access) ?? null;
      if (role === null) {
        stream.end('not allowed');
        continue;
      }
      if (role !== stream.access.role) stream.access = { ...stream.access, role };
      if (!may(stream.access, 'liveEvent:read')) stream.end('not allowed');
    }
  }
}

function ofWhom({ userId, organizationId }: Access) {
  return { userId, organizationId };
}
