import type { FastifyRequest } from 'fastify';
import { type RequestSpan, traces } from '../traces/traces.ts';
import type { App } from './app.ts';

const spans = new WeakMap<FastifyRequest, RequestSpan>();

/** A span for each request but probes; lines of its log name the trace. */
export function traceRequests(app: App): void {
  const on = traces();
  if (!on) return;
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.shed === false) return done();
    const span = on.request(request.method, request.headers);
    spans.set(request, span);
    request.log = request.log.child({ traceId: span.traceId });
    reply.log = request.log;
    const { url: route = 'none' } = request.routeOptions;
    reply.raw.once('close', () => span.end(route, reply.raw.statusCode));
    span.run(done);
  });
  // Reading a body goes on in the connection's events, which know nothing of the request.
  app.addHook('preValidation', (request, _reply, done) => {
    const span = spans.get(request);
    if (span) span.run(done);
    else done();
  });
}
