import { and, eq, gt, inArray, lt, sql } from 'drizzle-orm';
import type { FastifyBaseLogger } from 'fastify';
import type { Database, Transaction } from '../../db/database.ts';
import { thisMoment } from '../../db/moment.ts';
import { withTenant } from '../../db/tenant.ts';
import { livePresence, liveProcesses } from './table.ts';
import { tell } from './tell.ts';

/** So many beats may fail before a process counts as over. */
const BEATS = 4;

export interface PresenceOptions {
  readonly database: Database;
  readonly beatMs: number;
  readonly log: FastifyBaseLogger;
}

interface Person {
  readonly organizationId: string;
  readonly userId: string;
}

/**
 * Who of an organization is connected, to whichever process: an example of what the streams are good
 * for. Each process writes down its own people, and at each beat that it lives.
 */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #process = crypto.randomUUID();
  /** How many streams each has here. */
  readonly #here = new Map<string, { person: Person; streams: number }>();
  readonly #written = new Set<string>();
  #settling = Promise.resolve();
  #isStopping = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  came(person: Person): void {
    const key = keyOf(person);
    const streams = (this.#here.get(key)?.streams ?? 0) + 1;
    this.#here.set(key, { person, streams });
    if (streams === 1) void this.#settle();
  }

  /** Whoever is not back at the next beat has left: a page that is loaded again is no news. */
  went(person: Person): void {
    const known = this.#here.get(keyOf(person));
    if (known) known.streams -= 1;
  }

  async beat(): Promise<void> {
    await this.#settle();
    if (this.#isStopping) return;
    for (const id of await this.#over()) await this.#clear(id);
  }

  /** Its people are looked for by the others, at their next beat. Nothing is written after its goodbye. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#settling;
    if (this.#written.size === 0) return;
    await this.#db.update(liveProcesses).set({ until: thisMoment }).where(this.#isMine);
  }

  async list(organizationId: string): Promise<string[]> {
    const living = await this.#living();
    return withTenant(this.#options.database, organizationId, async (tx) => {
      const rows = await tx
        .selectDistinct({ userId: livePresence.userId })
        .from(livePresence)
        .where(inArray(livePresence.process, living))
        .orderBy(livePresence.userId);
      return rows.map(({ userId }) => userId);
    });
  }

  get #db() {
    return this.#options.database.db;
  }

  get #isMine() {
    return eq(liveProcesses.id, this.#process);
  }

  /** One after the other; what fails is done at the next beat. */
  #settle(): Promise<void> {
    this.#settling = this.#settling
      .then(() => this.#write())
      .catch((err) => this.#options.log.warn({ err }, 'could not write down who is present'));
    return this.#settling;
  }

  async #write(): Promise<void> {
    if (this.#isStopping) return;
    if (this.#here.size === 0 && this.#written.size === 0) return;
    await this.#live();
    for (const [key, { person, streams }] of this.#here) {
      if (streams > 0 && !this.#written.has(key)) {
        await this.#change(person, 'came', (tx) =>
          tx
            .insert(livePresence)
            .values({ process: this.#process, userId: person.userId })
            .onConflictDoNothing(),
        );
        this.#written.add(key);
      }
      if (streams > 0) continue;
      await this.#change(person, 'left', (tx) =>
        tx.delete(livePresence).where(ofProcess(this.#process, person)),
      );
      this.#written.delete(key);
      if (this.#here.get(key)?.streams === 0) this.#here.delete(key);
    }
  }

  /** Says that this process lives. If the others thought that it did not, its people are written again. */
  async #live(): Promise<void> {
    const until = sql`now() + make_interval(secs => ${(BEATS * this.#options.beatMs) / 1_000})`;
    const known = await this.#db
      .update(liveProcesses)
      .set({ until })
      .where(this.#isMine)
      .returning({ id: liveProcesses.id });
    if (known.length > 0) return;
    await this.#db.insert(liveProcesses).values({ id: this.#process, until });
    this.#written.clear();
  }

  /** News are told only if the person is not also connected to another process. */
  async #change(
    { organizationId, userId }: Person,
    what: 'came' | 'left',
    work: (tx: Transaction) => PromiseLike<unknown>,
  ): Promise<void> {
    const others = (await this.#living()).filter((id) => id !== this.#process);
    await withTenant(this.#options.database, organizationId, async (tx) => {
      await work(tx);
      const elsewhere = await tx.$count(
        livePresence,
        and(eq(livePresence.userId, userId), inArray(livePresence.process, others)),
      );
      if (elsewhere > 0) return;
      const audience = 'liveEvent:read';
      await tell(tx, { type: `presence.${what}`, audience, data: { userId } });
    });
  }

  async #living(): Promise<string[]> {
    const rows = await this.#db
      .select({ id: liveProcesses.id })
      .from(liveProcesses)
      .where(gt(liveProcesses.until, sql`now()`));
    return rows.map(({ id }) => id);
  }

  async #over(): Promise<string[]> {
    const rows = await this.#db
      .select({ id: liveProcesses.id })
      .from(liveProcesses)
      .where(lt(liveProcesses.until, sql`now()`));
    return rows.map(({ id }) => id);
  }

  /** After a process that was killed: of several that see it, one tells for each person. */
  async #clear(id: string): Promise<void> {
    const { database } = this.#options;
    const people = await database.withSettings({ 'app.live_process': id }, (tx) =>
      tx
        .select({ organizationId: livePresence.organizationId, userId: livePresence.userId })
        .from(livePresence)
        .where(eq(livePresence.process, id)),
    );
    for (const person of people) {
      const living = await this.#living();
      await withTenant(database, person.organizationId, async (tx) => {
        const gone = await tx.delete(livePresence).where(ofProcess(id, person)).returning();
        const isMine = and(
          eq(livePresence.userId, person.userId),
          inArray(livePresence.process, living),
        );
        if (gone.length === 0 || (await tx.$count(livePresence, isMine)) > 0) return;
        const data = { userId: person.userId };
        await tell(tx, { type: 'presence.left', audience: 'liveEvent:read', data });
      });
    }
    await this.#db.delete(liveProcesses).where(eq(liveProcesses.id, id));
    this.#options.log.info({ process: id, people: people.length }, 'a process is over');
  }
}

function keyOf({ organizationId, userId }: Person): string {
  return `${organizationId} ${userId}`;
}

function ofProcess(process: string, { userId }: Person) {
  return and(eq(livePresence.process, process), eq(livePresence.userId, userId));
}
