import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What a receiver does with a message; without anything to say it answers 204. */
export type Reply = (response: ServerResponse, received: Received) => void;

const taken: Reply = (response) => void response.writeHead(204).end();

/** A receiver of webhooks on loopback. */
export class Receiver {
  readonly received: Received[] = [];
  reply = taken;
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { url: path = '', headers } = request;
      const message = { path, headers, body: Buffer.concat(chunks).toString() };
      this.received.push(message);
      this.reply(response, message);
    });
  });

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** A path tells the endpoints of one receiver apart. */
  url(path = ''): string {
    return `http://127.0.0.1:${this.port}/${path}`;
  }

  reset(): void {
    this.reply = taken;
    this.received.length = 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
