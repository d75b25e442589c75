import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Asked {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly [name: string]: unknown;
}
export type Speech = (response: ServerResponse, asked: Asked) => void;

export interface Call {
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: Asked;
  /** Kept when the connection closes before the answer is whole. */
  abandoned: boolean;
}

/** A server that speaks the protocol of OpenAI's chat completions, well or badly. */
export class FakeModel {
  readonly calls: Call[] = [];
  speech: Speech = saying('Hello', ' there');
  readonly #server = createServer((request, response) => void this.#handle(request, response));

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async kill(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = await text(request).catch(() => undefined);
    // Whoever hung up in the middle of a question has not called.
    if (asked === undefined) return;
    const body = JSON.parse(asked);
    const call: Call = { url: request.url, headers: request.headers, body, abandoned: false };
    this.calls.push(call);
    response.once('close', () => {
      call.abandoned = !response.writableFinished;
    });
    this.speech(response, body);
  }
}

/** One chunk on the wire. */
export function wire(chunk: object | string): string {
  return `data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`;
}

export function piece(content: string): string {
  return wire({ object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content } }] });
}

export function thought(text: string): string {
  return wire({ choices: [{ index: 0, delta: { reasoning_content: text } }] });
}

/** What servers begin with: it is no token. */
export const ROLE = wire({ choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] });
export const END = wire('[DONE]');

export function finish(reason = 'stop'): string {
  return wire({ choices: [{ index: 0, delta: {}, finish_reason: reason }], usage: null });
}

export function usage(promptTokens: number, completionTokens: number): string {
  const counts = { prompt_tokens: promptTokens, completion_tokens: completionTokens };
  return wire({ choices: [], usage: { ...counts, total_tokens: promptTokens + completionTokens } });
}

export const PROMPT_TOKENS = 9;

/** What a model does that is well: a token for each piece. */
export function saying(...pieces: string[]): Speech {
  return (response) => {
    begin(response);
    for (const text of pieces) response.write(piece(text));
    response.end(finish() + usage(PROMPT_TOKENS, pieces.length) + END);
  };
}

/** Exactly this text, and no end. */
export function silentAfter(text: string): Speech {
  return (response) => begin(response).write(text);
}

/** Exactly this text, and the end of the answer. */
export function ending(text: string): Speech {
  return (response) => void begin(response).end(text);
}

/** This text, and then the connection breaks. */
export function breaking(text: string): Speech {
  return (response) => begin(response).write(text, () => response.destroy());
}

export function refusing(
  status: number,
  body: object = { error: { message: 'No.' } },
  headers: Record<string, string> = {},
): Speech {
  return (response) =>
    response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(body));
}

export const frozen: Speech = () => {};
export const dropping: Speech = (response) => response.destroy();

/** Goes on until nobody listens any more. */
export const endless: Speech = (response) => {
  begin(response);
  const timer = setInterval(() => response.write(piece('more ')), 20);
  response.once('close', () => clearInterval(timer));
};

function begin(response: ServerResponse): ServerResponse {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  response.write(ROLE);
  return response;
}
