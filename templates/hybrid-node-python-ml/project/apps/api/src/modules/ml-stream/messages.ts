import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** A comment, which readers skip: it shows that the connection lives. */
export const HEARTBEAT = Symbol('heartbeat');

/** Longer than this is no event of a service's. */
const MAX_EVENT = 1024 * 1024;

/** The server-sent events in chunks of bytes, however they are cut. */
export async function* readMessages(
  chunks: AsyncIterable<Uint8Array>,
  tooLong: (reason: string) => Error,
): AsyncGenerator<EventSourceMessage | typeof HEARTBEAT> {
  const arrived: (EventSourceMessage | typeof HEARTBEAT)[] = [];
  const parser = createParser({
    maxBufferSize: MAX_EVENT,
    onEvent: (message) => arrived.push(message),
    onComment: () => arrived.push(HEARTBEAT),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw tooLong(error.message);
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* arrived.splice(0);
  }
}
