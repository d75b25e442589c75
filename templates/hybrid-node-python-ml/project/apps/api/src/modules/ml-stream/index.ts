import { STATUS_CODES } from 'node:http';
import { addAbortSignal, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type ErrorEvent, NewPredictions, OrganizationParams, StreamEvent } from '@app/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BY_SESSION_OR_API_KEY, ORGANIZATION_PATH } from '../../auth/access.ts';
import { problems } from '../../http/openapi.ts';
import { ProblemError } from '../../http/problems.ts';
import { defineModule } from '../../module.ts';
import { MlUnavailableError } from '../ml/failures.ts';
import { answerFailures, goneSignal, ml, rootCause } from '../ml/index.ts';
import type { MlSettings } from '../ml/settings.ts';
import { switchOff } from '../ml/switch.ts';
import { traceIdOf, traceparentOf } from '../ml/trace.ts';
import { createMeter } from '../ml-usage/meter.ts';
import { createStreamClient } from './client.ts';
import { HEARTBEAT, type Streamed } from './events.ts';
import { settings } from './settings.ts';

/** After the deadline, how long a reader may take for the last event. */
const GRACE_MS = 1_000;

/** Predictions one by one, as the machine learning service gets them ready, where ML_STREAM_ENABLED. */
export const mlStream = defineModule({
  name: 'ml-stream',
  env: settings,
  register(app, services, env) {
    const { config, requires } = services;
    const all = { ...(config.modules[ml.name] as MlSettings), ...env };
    const client = createStreamClient(all, (state) => app.log.warn({ state }, 'ml stream circuit'));
    const count = createMeter(services);
    if (!env.ML_STREAM_ENABLED) switchOff(app, 'ML_STREAM_ENABLED');
    answerFailures(app);

    app.post(
      `${ORGANIZATION_PATH}/predictions/stream`,
      {
        preParsing: requires('prediction:create'),
        schema: {
          tags: ['predictions'],
          security: BY_SESSION_OR_API_KEY,
          operationId: 'streamPredictions',
          summary: 'Predict for each instance, and send each prediction when it is ready',
          params: OrganizationParams,
          body: NewPredictions,
          response: {
            200: {
              description: 'Server-sent events; the schema is that of the data of each',
              content: { 'text/event-stream': { schema: StreamEvent } },
            },
            ...problems(400, 401, 403, 404, 413, 415, 422, 429),
          },
        },
      },
      async (request, reply) => {
        const traceparent = traceparentOf(request.headers);
        request.log.info({ traceId: traceIdOf(traceparent) }, 'asking for a stream');
        const caller = { requestId: request.id, traceparent, signal: goneSignal(reply) };
        const latest = env.ML_STREAM_TIMEOUT_MS + GRACE_MS;
        const takeBack = await count(request, reply);
        let given = 0;
        const counting = async function* (events: AsyncIterable<Streamed>) {
          for await (const event of events) {
            if (event !== HEARTBEAT && event.type === 'prediction') given += 1;
            yield event;
          }
        };
        try {
          await client.stream(request.body, caller, (events) =>
            send(encode(counting(events), request), reply, latest),
          );
        } finally {
          await takeBack(request.body.instances.length - given);
        }
        return reply;
      },
    );
  },
});

/** Sends as fast as the events are read, until they end or `latest` milliseconds have passed. */
async function send(text: AsyncIterable<string>, reply: FastifyReply, latest: number) {
  const source = addAbortSignal(AbortSignal.timeout(latest), Readable.from(text));
  reply
    .code(200)
    .header('content-type', 'text/event-stream; charset=utf-8')
    .header('cache-control', 'no-store')
    .header('x-accel-buffering', 'no')
    .send(source);
  await finished(reply.raw).catch(() => source.destroy());
}

/** The wire's form; what ends a stream too early becomes its last event. */
async function* encode(
  events: AsyncIterable<Streamed>,
  request: FastifyRequest,
): AsyncGenerator<string> {
  // At once, so that the reader has the headers.
  yield COMMENT;
  try {
    for await (const event of events) {
      yield event === HEARTBEAT ? COMMENT : line(event);
    }
  } catch (error) {
    request.log.warn({ cause: rootCause(error as Error) }, 'a stream ended early');
    yield line(failed(error, request.id));
  }
}

const COMMENT = ': heartbeat\n\n';

function line(event: StreamEvent): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

function failed(error: unknown, requestId: string): ErrorEvent {
  const [status, code, detail] = reasonOf(error);
  const title = STATUS_CODES[status] ?? 'Error';
  const problem = { type: 'about:blank', title, status, code, detail, requestId };
  return { type: 'error', problem };
}

function reasonOf(error: unknown): [number, string, string] {
  if (error instanceof MlUnavailableError) return [503, error.code, error.message];
  if (error instanceof ProblemError) return [error.statusCode, error.code, error.message];
  return [500, 'internal_error', 'Something went wrong on our side'];
}
