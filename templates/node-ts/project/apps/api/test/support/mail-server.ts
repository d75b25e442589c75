import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** What the server says to a command, by its first four letters; `null` says nothing. */
type Answers = Readonly<Record<string, string | null>>;

/** As much of an SMTP server as it takes to receive messages, or not to. */
export class MailServer {
  /** The messages it took, as they came. */
  readonly messages: string[] = [];
  /** Instead of the usual ones. */
  answers: Answers = {};
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#accept(socket));
  #connections = 0;

  /** How often somebody came. */
  get connections(): number {
    return this.#connections;
  }

  /** Its address; it may come back at the port it had. */
  async start(port = 0): Promise<string> {
    await once(this.#server.listen(port, '127.0.0.1'), 'listening');
    return `smtp://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts off who is connected. */
  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#connections += 1;
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    const say = (line: string | null) => line !== null && socket.write(`${line}\r\n`);
    let message: string | undefined;
    say(this.#answer('HELO', '220 test'));
    socket.on('data', (chunk) => {
      if (message === undefined) {
        const command = String(chunk).slice(0, 4).toUpperCase();
        const usual = { DATA: '354 go on', QUIT: '221 bye' }[command] ?? '250 ok';
        const answer = this.#answer(command, usual);
        if (command === 'DATA' && answer?.startsWith('354')) message = '';
        say(answer);
        return;
      }
      message += chunk;
      if (!message.endsWith('\r\n.\r\n')) return;
      this.messages.push(message);
      message = undefined;
      say('250 queued');
    });
  }

  #answer(command: string, usual: string): string | null {
    const answer = this.answers[command];
    return answer === undefined ? usual : answer;
  }
}

/** Says nothing from the beginning. */
export const SILENT: Answers = { HELO: null };
