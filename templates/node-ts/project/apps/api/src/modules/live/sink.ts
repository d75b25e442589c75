import type { ServerResponse } from 'node:http';
import type { WebSocket } from 'ws';

/** Why a stream ends, where it is not the client who ends it. */
export type End = 'stopping' | 'not allowed' | 'too slow' | 'failed';

/** Where a stream's messages go: an answer that never ends, or a WebSocket. */
export interface Sink {
  /** `json` is an object's; `sequence` is what the client comes back with. */
  send(sequence: number, json: string): void;
  /** Says that the stream lives, and up to where the client has heard of everything. */
  beat(sequence: number): void;
  /** How many bytes wait for the client to read them. */
  waiting(): number;
  /** Resolves when nothing waits any more, or never will. */
  drained(): Promise<void>;
  end(why: End): void;
  /** At once, with what still waits. */
  cut(): void;
}

/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export class EventStream implements Sink {
  readonly #raw: ServerResponse;

  constructor(raw: ServerResponse) {
    this.#raw = raw;
  }

  send(sequence: number, json: string): void {
    this.#raw.write(`id: ${sequence}\ndata: ${json}\n\n`);
  }

  /** An id without data is no message to the client's code, and is what it comes back with. */
  beat(sequence: number): void {
    this.#raw.write(`id: ${sequence}\n\n`);
  }

  waiting(): number {
    return this.#raw.writableLength;
  }

  drained(): Promise<void> {
    const raw = this.#raw;
    if (!raw.writableNeedDrain || raw.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      for (const event of ['drain', 'close']) raw.once(event, () => resolve());
    });
  }

  end(): void {
    this.#raw.end();
  }

  cut(): void {
    this.#raw.destroy();
  }
}

/** https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const CODES: Record<End, number> = {
  stopping: 1001,
  'not allowed': 1008,
  'too slow': 1008,
  failed: 1011,
};

export class SocketStream implements Sink {
  readonly #socket: WebSocket;
  #answered = true;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('pong', () => {
      this.#answered = true;
    });
  }

  send(_sequence: number, json: string): void {
    this.#socket.send(json);
  }

  /** Who has not answered the last one is not there any more. */
  beat(): void {
    if (this.#answered) this.#socket.ping();
    else this.cut();
    this.#answered = false;
  }

  waiting(): number {
    return this.#socket.bufferedAmount;
  }

  drained(): Promise<void> {
    if (this.#socket.bufferedAmount === 0) return Promise.resolve();
    // Called back when this has been written, and all that stands in front of it.
    return new Promise((resolve) => this.#socket.ping('', undefined, () => resolve()));
  }

  end(why: End): void {
    this.#socket.close(CODES[why], why);
  }

  cut(): void {
    this.#socket.terminate();
  }
}
