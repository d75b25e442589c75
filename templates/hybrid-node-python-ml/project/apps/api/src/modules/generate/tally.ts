import type { AnswerDelta, AnswerDone, TokenCount } from '@app/contracts';
import { HEARTBEAT } from '../ml-stream/messages.ts';
import type { Generated, Prompt } from './protocol.ts';

/** No tokenizer makes more tokens than bytes; this is for what a server puts around each message. */
const AROUND_A_MESSAGE = 16;
/** In most languages and tokenizers a token has about as many. */
const BYTES_PER_TOKEN = 4;

export type AnswerPart = AnswerDelta | AnswerDone | typeof HEARTBEAT;

/** How many tokens an answer may take and took. */
export class Tally {
  /** As many as there can be, to be counted before the model is asked. */
  readonly atMost: number;
  readonly #prompt: number;
  #pieces = 0;
  #bytes = 0;
  #told: TokenCount | undefined;

  constructor({ messages, maxTokens }: Prompt) {
    const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
    this.atMost = bytes + messages.length * AROUND_A_MESSAGE + maxTokens;
    this.#prompt = Math.ceil(bytes / BYTES_PER_TOKEN);
  }

  async *watch(events: AsyncIterable<Generated>): AsyncGenerator<AnswerPart> {
    for await (const event of events) {
      if (event === HEARTBEAT || event.type === 'delta') {
        this.#pieces += 1;
        if (event !== HEARTBEAT) this.#bytes += Buffer.byteLength(event.text);
        yield event;
      } else {
        this.#told = event.usage && { ...event.usage, isEstimate: false };
        yield { ...event, usage: this.#count() };
      }
    }
  }

  /** What there was of an answer has come to nothing. */
  forget(): void {
    this.#told = undefined;
    this.#pieces = 0;
  }

  /** What is counted in the end. Where the model has said nothing, that is nothing. */
  get counted(): Pick<TokenCount, 'promptTokens' | 'completionTokens'> {
    if (this.#told === undefined && this.#pieces === 0) {
      return { promptTokens: 0, completionTokens: 0 };
    }
    return this.#count();
  }

  get used(): number {
    return this.counted.promptTokens + this.counted.completionTokens;
  }

  /** As the model says; where it does not, or was cut off, as it seems. */
  #count(): TokenCount {
    if (this.#told) return this.#told;
    const completionTokens = Math.max(this.#pieces, Math.ceil(this.#bytes / BYTES_PER_TOKEN));
    return { promptTokens: this.#prompt, completionTokens, isEstimate: true };
  }
}
