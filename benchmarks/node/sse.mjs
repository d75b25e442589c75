import { createServer } from 'node:http';

/** As little as a server of events can do: headers, one timer for all streams, an event for everybody. */
const BEAT_MS = Number(process.env.LIVE_BEAT_MS);
const streams = new Set();
let sequence = 0;

const server = createServer((request, response) => {
  if (request.url === '/livez') return response.end('{}');
  if (request.url === '/tell') {
    sequence += 1;
    const event = `id: ${sequence}\ndata: ${JSON.stringify({ type: 'project.created', sequence })}\n\n`;
    for (const stream of streams) stream.write(event);
    return response.end('{}');
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write('retry: 1000\n\n');
  streams.add(response);
  response.on('close', () => streams.delete(response));
});
setInterval(() => {
  for (const stream of streams) stream.write(`id: ${sequence}\n\n`);
}, BEAT_MS);
server.listen(Number(process.env.PORT), '127.0.0.1', 20_000);
