import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { sample, validator } from './contract.ts';

type Answer = (response: ServerResponse, body: { instances: unknown[] }) => void;

const isRequest = validator('PredictRequest');
const isResponse = validator('PredictResponse');
const isProblem = validator('Problem');

export interface Call {
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
  /** Whether the caller hung up before it was answered. */
  abandoned: boolean;
}

/** Stands in for the service. What it says when it is well is checked against the contract. */
export class FakeMl {
  readonly calls: Call[] = [];
  answer: Answer = predictions;
  /** What its /readyz says; undefined is no answer at all. */
  readiness: 200 | 503 | undefined = 200;
  #server: Server = createServer();
  readonly #sockets = new Set<Socket>();
  #port = 0;

  async start(): Promise<void> {
    this.#server = createServer((request, response) => void this.#handle(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Ends at once, as if it was killed; `start` brings it back on the same port. */
  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/readyz') {
      if (this.readiness) response.writeHead(this.readiness).end();
      return;
    }
    const asked = await text(request).catch(() => undefined);
    // Whoever hung up in the middle of a question has not called.
    if (asked === undefined) return;
    const body = JSON.parse(asked);
    const call: Call = { headers: request.headers, body, abandoned: false };
    this.calls.push(call);
    response.once('close', () => {
      call.abandoned = !response.writableFinished;
    });
    if (!isRequest(body)) throw new Error(`not in the contract: ${JSON.stringify(body)}`);
    this.answer(response, body as { instances: unknown[] });
  }
}

export const predictions: Answer = (response, { instances }) => {
  const body = {
    predictions: instances.map(() => sample('Prediction')),
    model: { name: 'fake', version: '1' },
  };
  if (!isResponse(body)) throw new Error(JSON.stringify(isResponse.errors));
  response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
};

export function problem(
  status: number,
  code: string,
  headers: Record<string, string> = {},
): Answer {
  return (response) => {
    const body = { type: 'about:blank', title: 'Error', status, code, detail: null, errors: null };
    if (!isProblem(body)) throw new Error(JSON.stringify(isProblem.errors));
    response
      .writeHead(status, { 'content-type': 'application/problem+json', ...headers })
      .end(JSON.stringify(body));
  };
}

export const frozen: Answer = () => {};

export const dropped: Answer = (response) => response.destroy();

export function raw(body: string): Answer {
  return (response) => response.setHeader('content-type', 'application/json').end(body);
}

/** Headers and the first half of a body that never ends. */
export const dribbling: Answer = (response) => {
  response.setHeader('content-type', 'application/json').write('{"predictions": [');
};

export function slow(milliseconds: number): Answer {
  return (response, body) => setTimeout(() => predictions(response, body), milliseconds);
}

/** One answer after the other; the last one stays. */
export function inTurn(...answers: Answer[]): Answer {
  return (response, body) => {
    const next = answers.length > 1 ? answers.shift() : answers[0];
    next?.(response, body);
  };
}
