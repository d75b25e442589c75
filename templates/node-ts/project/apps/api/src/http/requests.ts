import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../metrics/metrics.ts';
import type { App } from './app.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True for answers that stay open: how long they do says nothing of speed. */
    stream?: boolean;
  }
}

/** The caller hung up before there was an answer; the number is nginx's. */
const HUNG_UP = 499;

/** Rate, errors and duration of requests, by route: callers can make up addresses, but no routes. */
export function measureRequests(app: App, metrics: Metrics): void {
  let inFlight = 0;
  metrics.gauge({
    name: 'http_requests_in_flight',
    help: 'Requests under way; streams are not among them.',
    read: () => inFlight,
  });
  const measure = metrics.timer({
    name: 'http_request_duration_seconds',
    help: 'How long requests took, by route and status; streams are not among them.',
    labels: ['method', 'route', 'status'],
  });
  app.addHook('onRequest', (request, reply, done) => {
    const { config, url: route = 'none' } = request.routeOptions;
    const started = performance.now();
    const end = () => {
      if (!config.stream) inFlight -= 1;
      if (config.stream && reply.raw.statusCode < 400) return;
      const labels = { method: request.method, route, status: statusOf(request, reply) };
      measure(labels, (performance.now() - started) / 1_000);
    };
    if (!config.stream) inFlight += 1;
    // Comes in the end, whether or not there was an answer.
    reply.raw.once('close', end);
    done();
  });
}

function statusOf({ raw }: FastifyRequest, reply: FastifyReply): string {
  const isAnswered = reply.raw.headersSent || !raw.destroyed;
  return String(isAnswered ? reply.raw.statusCode : HUNG_UP);
}
