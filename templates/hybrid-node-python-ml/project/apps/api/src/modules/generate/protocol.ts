import type { Message } from '@app/contracts';
import { z } from 'zod';
import { HEARTBEAT, readMessages } from '../ml-stream/messages.ts';
import { badAnswer, GenerateRefusedError, GenerateUnavailableError } from './failures.ts';
import type { GenerateSettings } from './settings.ts';

// OpenAI's chat completions, as much of them as the servers that speak them have in common.

export type Generated = Delta | Done | typeof HEARTBEAT;
export interface Delta {
  readonly type: 'delta';
  readonly text: string;
}
export interface Done {
  readonly type: 'done';
  readonly finishReason: 'stop' | 'length' | 'content_filter' | 'other';
  /** Where the model says it. */
  readonly usage?: { readonly promptTokens: number; readonly completionTokens: number } | undefined;
}

export interface Prompt {
  readonly messages: readonly Message[];
  readonly maxTokens: number;
}

export function requestBody(prompt: Prompt, env: GenerateSettings): object {
  return {
    model: env.GENERATE_MODEL,
    messages: prompt.messages,
    [env.GENERATE_MAX_TOKENS_FIELD]: prompt.maxTokens,
    stream: true,
    stream_options: { include_usage: true },
  };
}

const tokens = z.int().min(0);
const Chunk = z.object({
  choices: z
    .array(
      z.object({
        delta: z
          .object({
            content: z.string().nullish(),
            // What a model thinks before it speaks; servers call it one or the other.
            reasoning_content: z.string().nullish(),
            reasoning: z.string().nullish(),
          })
          .nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .nullish(),
  usage: z.object({ prompt_tokens: tokens, completion_tokens: tokens }).nullish(),
  error: z.unknown().optional(),
});
type Chunk = z.infer<typeof Chunk>;

const END = '[DONE]';

/**
 * The answer in chunks of bytes, checked: its text piece by piece and then the end. What the model
 * thinks becomes heartbeats; its comments become nothing, since a server that only sends those gives no answer.
 */
export async function* readAnswer(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Generated> {
  let reason: string | undefined;
  let usage: Done['usage'];
  let over = false;
  for await (const message of readMessages(chunks, badAnswer)) {
    if (message === HEARTBEAT) continue;
    if (message.data === END) {
      over = true;
      break;
    }
    const chunk = understand(message.data);
    const [choice] = chunk.choices ?? [];
    reason = choice?.finish_reason ?? reason;
    if (chunk.usage) {
      const { prompt_tokens: promptTokens, completion_tokens: completionTokens } = chunk.usage;
      usage = { promptTokens, completionTokens };
    }
    const { content, reasoning, reasoning_content: thought } = choice?.delta ?? {};
    if (content) yield { type: 'delta', text: content };
    else if (reasoning || thought) yield HEARTBEAT;
  }
  if (!over && reason === undefined) {
    const cause = new Error('the answer was cut off');
    throw new GenerateUnavailableError('generate_unreachable', { cause });
  }
  yield { type: 'done', finishReason: finishReasonOf(reason), usage };
}

function finishReasonOf(reason: string | undefined): Done['finishReason'] {
  return reason === 'stop' || reason === 'length' || reason === 'content_filter' ? reason : 'other';
}

/** Says no word of what it could not read: that is somebody's text. */
function understand(data: string): Chunk {
  const parsed = Chunk.safeParse(parse(data));
  if (!parsed.success) throw badAnswer('a chunk of another form');
  if (parsed.data.error != null) {
    const cause = new Error('the model reports an error in its stream');
    throw new GenerateUnavailableError('generate_failed', { cause });
  }
  return parsed.data;
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw badAnswer('a chunk that is no JSON');
  }
}

const Refusal = z.object({ error: z.object({ message: z.string().max(1_000) }) });

/** What an answer means that is no stream. */
export async function failureOf(response: Response): Promise<Error> {
  const { status } = response;
  const options = { retryAfter: retryAfterOf(response), cause: new Error(`status ${status}`) };
  switch (status) {
    case 400:
    case 413:
    case 422: {
      const { data } = Refusal.safeParse(await response.json().catch(() => undefined));
      return new GenerateRefusedError(status, data?.error.message);
    }
    case 401:
    case 402:
    case 403:
    case 404:
      return new GenerateUnavailableError('generate_misconfigured', { ...options, retryAfter: 60 });
    case 429:
    case 503:
    case 504:
    case 529:
      return new GenerateUnavailableError('generate_overloaded', options);
    case 502:
      return new GenerateUnavailableError('generate_unreachable', options);
    default:
      return new GenerateUnavailableError('generate_failed', options);
  }
}

/** In seconds; a server may also name a date. */
function retryAfterOf(response: Response): number | undefined {
  const text = response.headers.get('retry-after') ?? '';
  const seconds = /^[\d.]+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1_000;
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : undefined;
}
