import { DoneEvent, PredictionEvent } from '@app/contracts';
import type { EventSourceMessage } from 'eventsource-parser';
import { z } from 'zod';
import { failureOf } from '../ml/client.ts';
import type { components } from '../ml/contract.gen.ts';
import { MlUnavailableError } from '../ml/failures.ts';
import { HEARTBEAT, readMessages } from './messages.ts';

type ServiceEvent = components['schemas']['StreamEvent'];

export type Streamed = PredictionEvent | DoneEvent | typeof HEARTBEAT;

const ServiceError = z.object({
  type: z.literal('error'),
  problem: z.object({ status: z.int(), code: z.string(), detail: z.string().nullish() }),
});
const AnyEvent = z.discriminatedUnion('type', [PredictionEvent, DoneEvent, ServiceError]);

/**
 * The events in chunks of bytes, checked: predictions in order and then the end, or an error.
 * One that does not come to its end in good order fails.
 */
export async function* readEvents(
  chunks: AsyncIterable<Uint8Array>,
  instances: number,
): AsyncGenerator<Streamed> {
  let next = 0;
  for await (const message of readMessages(chunks, badAnswer)) {
    if (message === HEARTBEAT) {
      yield message;
      continue;
    }
    const event = understand(message);
    if (event.type === 'done') {
      if (event.predictions !== instances || next !== instances) throw badAnswer('a gap');
      yield event;
      return;
    }
    if (event.index !== next) throw badAnswer(`prediction ${event.index} instead of ${next}`);
    next += 1;
    yield event;
  }
  throw new MlUnavailableError('ml_unreachable', { cause: new Error('the stream was cut off') });
}

function understand(message: EventSourceMessage): PredictionEvent | DoneEvent {
  const parsed = AnyEvent.safeParse(parse(message.data));
  if (!parsed.success) throw badAnswer(parsed.error.message);
  const event = parsed.data as ServiceEvent;
  switch (event.type) {
    case 'prediction':
      return {
        type: event.type,
        index: event.index,
        prediction: event.prediction,
        model: event.model,
      };
    case 'done':
      return { type: event.type, predictions: event.predictions };
    case 'error':
      throw failureOf({
        status: event.problem.status,
        retryAfter: undefined,
        body: event.problem,
      });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MlUnavailableError('ml_bad_answer', { cause: error });
  }
}

function badAnswer(reason: string): MlUnavailableError {
  return new MlUnavailableError('ml_bad_answer', { cause: new Error(reason) });
}
