import { type Access, may } from '../../auth/access.ts';
import type { StoredEvent } from './events.ts';
import type { End, Sink } from './sink.ts';

export interface StreamOptions {
  /** More may not wait for a client who gets events as they happen. */
  readonly bufferBytes: number;
  /** Called when it is cut off for that. */
  slow(): void;
}

/** One client that listens to the events of an organization. */
export class Stream {
  access: Access;
  /** The number of the last event that has gone by, whether the client may see it or not. */
  sequence: number;
  /** Whether it gets events as they happen; until then it reads what it has missed. */
  isLive = false;
  isOver = false;
  readonly #sink: Sink;
  readonly #options: StreamOptions;
  /** How many bytes waited at the last beat. */
  #waited = 0;

  constructor(access: Access, sequence: number, sink: Sink, options: StreamOptions) {
    this.access = access;
    this.sequence = sequence;
    this.#sink = sink;
    this.#options = options;
  }

  /** One after the other: what is not the next one shows that some are lost. */
  pass({ sequence, audience, json }: StoredEvent): void {
    if (this.isOver || sequence <= this.sequence) return;
    if (sequence > this.sequence + 1) this.reset(sequence - 1);
    this.sequence = sequence;
    if (!may(this.access, audience)) return;
    this.#sink.send(sequence, json);
  }

  /** Before more is passed: what one page brings may wait beyond the limit, but nothing on top of it. */
  makeRoom(): void {
    if (this.#sink.waiting() > this.#options.bufferBytes) this.#tooSlow();
  }

  /** The client has to read anew what it shows. */
  reset(sequence: number): void {
    if (this.isOver) return;
    this.sequence = sequence;
    this.#sink.send(sequence, JSON.stringify({ type: 'reset', sequence }));
  }

  /** Whoever reads nothing, or less than comes, from one beat to the next is cut off. */
  beat(): void {
    if (this.isOver) return;
    const waiting = this.#sink.waiting();
    const isStuck = this.#waited > 0 && waiting >= this.#waited;
    this.#waited = waiting;
    if (isStuck) this.#tooSlow();
    else this.#sink.beat(this.sequence);
  }

  drained(): Promise<void> {
    return this.#sink.drained();
  }

  end(why: End): void {
    if (this.isOver) return;
    this.isOver = true;
    // What waits for somebody who does not read would hold the end up.
    if (this.#sink.waiting() > 0) this.#sink.cut();
    else this.#sink.end(why);
  }

  cut(): void {
    this.isOver = true;
    this.#sink.cut();
  }

  #tooSlow(): void {
    this.#options.slow();
    this.cut();
  }
}
