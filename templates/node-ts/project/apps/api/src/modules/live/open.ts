import type { OutgoingHttpHeaders } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';
import type { Access } from '../../auth/access.ts';
import type { Hub, Place } from './hub.ts';
import { EventStream, SocketStream } from './sink.ts';

/** Browsers come back after a second or more, and not all of them at once. */
const RETRY_MS = { least: 1_000, more: 4_000 };
/** https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1, and its registry */
const POLICY = 1008;
const TRY_AGAIN_LATER = 1013;

interface EventRequest {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly after: number | undefined;
}

/** Answers with a stream of events, or throws as other routes do. */
export async function openEvents(
  hub: Hub,
  access: Access,
  { request, reply, after }: EventRequest,
): Promise<void> {
  const place = await enter(hub, access);
  const { raw } = reply.hijack();
  if (raw.destroyed) return hub.leave(place);
  // The limit for connections on which nothing moves is not for this one.
  if (request.raw.socket instanceof Socket) request.raw.socket.setTimeout(0);
  raw.on('error', () => undefined);
  raw.writeHead(200, {
    ...(reply.getHeaders() as OutgoingHttpHeaders),
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    // nginx would wait for more before it sends any of it.
    'x-accel-buffering': 'no',
    // The end of the stream is the end of the connection: none is left for a process to wait for.
    connection: 'close',
  });
  raw.write(`retry: ${RETRY_MS.least + Math.floor(Math.random() * RETRY_MS.more)}\n\n`);
  const stream = hub.open(place, new EventStream(raw), after);
  raw.on('close', () => hub.close(place, stream));
}

interface SocketRequest {
  readonly socket: WebSocket;
  readonly after: number | undefined;
  readonly log: FastifyBaseLogger;
}

/** What cannot be, ends with a code. */
export async function openSocket(
  hub: Hub,
  access: Access,
  { socket, after, log }: SocketRequest,
): Promise<void> {
  socket.on('message', () => socket.close(POLICY, 'send nothing'));
  try {
    const place = await enter(hub, access);
    if (socket.readyState !== socket.OPEN) return hub.leave(place);
    const stream = hub.open(place, new SocketStream(socket), after);
    socket.on('close', () => hub.close(place, stream));
  } catch (error) {
    log.warn({ err: error }, 'a WebSocket could not be opened');
    socket.close(TRY_AGAIN_LATER, 'try again later');
  }
}

async function enter(hub: Hub, access: Access): Promise<Place> {
  const place = hub.enter(access);
  try {
    await place.feed.begin();
    return place;
  } catch (error) {
    hub.leave(place);
    throw error;
  }
}
