import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import websocket from '@fastify/websocket';
import type { App } from '../../http/app.ts';

/** Clients have nothing to say. */
const MOST_BYTES = 1_024;
const PATH = /^\/api\/v1\/organizations\/[^/?]+\/events\/socket(\?|$)/;

/**
 * Lets requests become WebSockets, here and nowhere else. A server that takes upgrades is handed by
 * Node every request that offers one, with its socket and whatever it is for: those of Java's client
 * for HTTP/2, which offers it on each of its requests, and those of anybody to an address that is not
 * there, whose connection would then belong to nobody and hold up the end of the process.
 */
export async function registerUpgrades(app: App): Promise<void> {
  const wanted = new EventEmitter();
  const server: UpgradingServer = app.server;
  // Since Node 24.9 and 22.21: all others are requests as if they had offered nothing.
  server.shouldUpgradeCallback = isWanted;
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (isWanted(request)) wanted.emit('upgrade', request, socket, head);
    else socket.end('HTTP/1.1 501 Not Implemented\r\nconnection: close\r\n\r\n');
  });
  await app.register(websocket, {
    options: { server: wanted as Server, maxPayload: MOST_BYTES, perMessageDeflate: false },
    errorHandler: (error, socket, request) => {
      request.log.debug({ err: error }, 'a WebSocket failed');
      socket.terminate();
    },
    // The hub ends them.
    preClose: (done) => done(),
  });
}

type UpgradingServer = Server & { shouldUpgradeCallback?: typeof isWanted };

function isWanted({ url = '', headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket' && PATH.test(url);
}
