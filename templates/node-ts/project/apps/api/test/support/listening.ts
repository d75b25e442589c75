import { once } from 'node:events';
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import type { LiveMessage } from '@app/contracts';
import { expect } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { withTenant } from '../../src/db/tenant.ts';
import { tell } from '../../src/modules/live/tell.ts';
import { ORIGIN } from './app.ts';
import { READ_NOTES } from './notes.ts';

export const PATIENCE = { timeout: 60_000 };

export interface Who {
  readonly cookie?: string;
  readonly secret?: string;
  readonly lastEventId?: number | string;
}

/** A client of server-sent events that keeps what it was told. */
export class Listening {
  readonly messages: LiveMessage[] = [];
  /** The id that a browser would come back with. */
  lastId = '';
  ended = false;
  readonly request: ClientRequest;
  readonly response: IncomingMessage;
  #rest = '';

  static async open(url: string, who: Who): Promise<Listening> {
    const request = get(url, { agent: false, headers: headersOf(who) });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return new Listening(request, response);
  }

  constructor(request: ClientRequest, response: IncomingMessage) {
    this.request = request;
    this.response = response;
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.#take(text));
    // Also when it was cut off.
    response.on('error', () => undefined);
    response.on('close', () => {
      this.ended = true;
    });
  }

  get types(): string[] {
    return this.messages.map(({ type }) => type);
  }

  get sequences(): number[] {
    return this.messages.map(({ sequence }) => sequence);
  }

  close(): void {
    this.request.destroy();
  }

  #take(text: string): void {
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    for (const line of blocks.flatMap((block) => block.split('\n'))) {
      if (line.startsWith('id: ')) this.lastId = line.slice(4);
      if (line.startsWith('data: ')) this.messages.push(JSON.parse(line.slice(6)));
    }
  }
}

/** A client of the WebSocket, which keeps the same. */
export class Talking {
  readonly messages: LiveMessage[] = [];
  code: number | undefined;
  readonly socket: WebSocket;

  constructor(url: string, headers: Record<string, string>) {
    // Node's own takes headers, which browsers do not.
    this.socket = new WebSocket(url.replace('http', 'ws'), { headers } as never);
    this.socket.addEventListener('message', ({ data }) => this.messages.push(JSON.parse(data)));
    this.socket.addEventListener('close', ({ code }) => {
      this.code = code;
    });
  }

  get types(): string[] {
    return this.messages.map(({ type }) => type);
  }
}

export function headersOf({ cookie, secret, lastEventId }: Who): Record<string, string> {
  return {
    ...(cookie && { cookie, origin: ORIGIN }),
    ...(secret && { authorization: `Bearer ${secret}` }),
    ...(lastEventId !== undefined && { 'last-event-id': String(lastEventId) }),
  };
}

/** Tells of something that everybody may hear of who may read notes. */
export function tellOf(database: Database, organizationId: string, what: string, data = {}) {
  return withTenant(database, organizationId, (tx) =>
    tell(tx, { type: `note.${what}`, audience: READ_NOTES, data }),
  );
}

export const hears = (listening: { types: string[] }, ...types: string[]) =>
  expect.poll(() => listening.types, PATIENCE).toEqual(types);
