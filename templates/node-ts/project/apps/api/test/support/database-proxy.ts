import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * Stands between the application and PostgreSQL, and does what networks and servers do: cuts
 * connections, refuses them, or says nothing any more.
 */
export class DatabaseProxy {
  readonly #target: URL;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #cutAt: RegExp | undefined;
  #state: 'open' | 'frozen' | 'refusing' = 'open';
  /** How many connections have been cut by `cutAt`. */
  cuts = 0;

  constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((client) => this.#accept(client));
  }

  async start(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return this.address();
  }

  address(): string {
    const url = new URL(this.#target);
    url.hostname = '127.0.0.1';
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  async stop(): Promise<void> {
    this.cutAll();
    this.#server.close();
    await once(this.#server, 'close');
  }

  cutAll(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** From now on, cuts each connection on which such a statement comes, before PostgreSQL sees it. */
  cutAt(statement: RegExp | undefined): void {
    this.#cutAt = statement;
  }

  /** Cuts what is there, and every connection that is tried. */
  refuse(): void {
    this.#state = 'refusing';
    this.cutAll();
  }

  /** Connections stay, and nothing comes through. */
  freeze(): void {
    this.#state = 'frozen';
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** Works again, with what was on its way while it was frozen. */
  open(): void {
    this.#state = 'open';
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  #accept(client: Socket): void {
    if (this.#state === 'refusing') {
      client.destroy();
      return;
    }
    const server = connect(Number(this.#target.port || 5432), this.#target.hostname);
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    client.on('data', (chunk) => {
      if (this.#cutAt?.test(chunk.toString('latin1'))) {
        this.cuts += 1;
        client.destroy();
      } else {
        server.write(chunk);
      }
    });
    server.on('data', (chunk) => client.write(chunk));
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
      if (this.#state === 'frozen') socket.pause();
    }
  }
}
