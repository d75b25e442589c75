import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Mail, Mailer } from './mailer.ts';

export interface OutboxOptions {
  /** Mails beyond that are lost at once: the mail server has been away for long. */
  readonly capacity: number;
  readonly concurrency: number;
  /** How long to wait after the first failure, the second, ...; after the last the mail is lost. */
  readonly pausesMs: readonly number[];
}

const DEFAULTS: OutboxOptions = {
  capacity: 1_000,
  concurrency: 4,
  pausesMs: [1_000, 10_000, 60_000],
};

/** What one request has posted. Its caller may hang up, and so release it, while it still runs. */
interface Held {
  readonly mails: Mail[];
  released: boolean;
}

/**
 * Sends mail behind the caller's back, so that no answer waits for a mail server. It lives in memory:
 * what a process has not sent when it is killed is lost.
 */
export class Outbox {
  readonly #mailer: Mailer;
  readonly #log: FastifyBaseLogger;
  readonly #options: OutboxOptions;
  readonly #queue: Mail[] = [];
  readonly #hurry = new AbortController();
  readonly #over = new AbortController();
  readonly #senders = new Set<Promise<void>>();
  readonly #underway = new Set<Mail>();
  readonly #held = new AsyncLocalStorage<Held>();
  #lost = 0;

  constructor(mailer: Mailer, log: FastifyBaseLogger, options: Partial<OutboxOptions> = {}) {
    this.#mailer = mailer;
    this.#log = log;
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Since the process began. */
  get lost(): number {
    return this.#lost;
  }

  /** Takes the mail and returns at once. */
  post(mail: Mail): void {
    const held = this.#held.getStore();
    if (held && !held.released) held.mails.push(mail);
    else this.#add(mail);
  }

  /** Mails posted by `work` begin their way when `end` has come: so a mail costs an answer no time. */
  hold<Result>(end: Promise<unknown>, work: () => Promise<Result>): Promise<Result> {
    const held: Held = { mails: [], released: false };
    const release = () => {
      held.released = true;
      for (const mail of held.mails) this.#add(mail);
    };
    void end.then(release, release);
    return this.#held.run(held, work);
  }

  #add(mail: Mail): void {
    if (this.#over.signal.aborted) {
      this.#lose('the process stops');
      return;
    }
    if (this.#queue.length >= this.#options.capacity) {
      this.#lose('too many mails are waiting');
      return;
    }
    this.#queue.push(mail);
    if (this.#senders.size >= this.#options.concurrency) return;
    const sender = this.#sendAll().finally(() => this.#senders.delete(sender));
    this.#senders.add(sender);
  }

  /** Waits for what is still to be sent, without pauses and no longer than that. */
  async close(deadlineMs: number): Promise<void> {
    this.#hurry.abort();
    const late = sleep(deadlineMs, undefined, this.#over).catch(() => undefined);
    await Promise.race([Promise.all(this.#senders), late]);
    this.giveUp();
  }

  /** Counts what is not sent as lost, and from now on all that is posted. */
  giveUp(): void {
    this.#over.abort();
    for (const _ of [...this.#underway, ...this.#queue.splice(0)]) this.#lose('the process stops');
    this.#underway.clear();
  }

  async #sendAll(): Promise<void> {
    for (let mail = this.#queue.shift(); mail; mail = this.#queue.shift()) {
      this.#underway.add(mail);
      await this.#sendWithRetries(mail);
      this.#underway.delete(mail);
    }
  }

  async #sendWithRetries(mail: Mail): Promise<void> {
    const pauses = [...this.#options.pausesMs];
    for (;;) {
      try {
        await this.#mailer.send(mail);
        return;
      } catch (error) {
        // Given up meanwhile.
        if (!this.#underway.has(mail)) return;
        const pause = pauses.shift();
        if (pause === undefined || isFinal(error)) {
          this.#lose('the mail server did not take it', error);
          return;
        }
        this.#log.warn({ err: error }, 'mail not sent, trying again');
        await sleep(pause, undefined, { signal: this.#hurry.signal }).catch(() => undefined);
      }
    }
  }

  #lose(reason: string, error?: unknown): void {
    this.#lost += 1;
    this.#log.error({ err: error, reason, lost: this.#lost }, 'mail lost');
  }
}

/** SMTP's 5xx: the same mail would be refused again. */
function isFinal(error: unknown): boolean {
  return error instanceof Error && 'responseCode' in error && Number(error.responseCode) >= 500;
}
