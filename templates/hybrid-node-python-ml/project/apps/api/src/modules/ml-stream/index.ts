import { NewPredictions, OrganizationParams, StreamEvent } from '@app/contracts';
import { BY_SESSION_OR_API_KEY, ORGANIZATION_PATH } from '../../auth/access.ts';
import { problems } from '../../http/openapi.ts';
import { defineModule } from '../../module.ts';
import { answerFailures, goneSignal, ml } from '../ml/index.ts';
import type { MlSettings } from '../ml/settings.ts';
import { switchOff } from '../ml/switch.ts';
import { traceIdOf, traceparentOf } from '../ml/trace.ts';
import { createMeter } from '../ml-usage/meter.ts';
import { createStreamClient } from './client.ts';
import type { Streamed } from './events.ts';
import { HEARTBEAT } from './messages.ts';
import { sendEvents } from './send.ts';
import { settings } from './settings.ts';

/** Predictions one by one, as the machine learning service gets them ready, where ML_STREAM_ENABLED. */
export const mlStream = defineModule({
  name: 'ml-stream',
  env: settings,
  register(app, services, env) {
    const { config, requires } = services;
    const all = { ...(config.modules[ml.name] as MlSettings), ...env };
    const client = createStreamClient(all, (state) => app.log.warn({ state }, 'ml stream circuit'));
    const count = createMeter(services);
    if (!env.ML_STREAM_ENABLED) switchOff(app, 'ML_STREAM_ENABLED=true');
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
            sendEvents(counting(events), request, reply, env.ML_STREAM_TIMEOUT_MS),
          );
        } finally {
          await takeBack(request.body.instances.length - given);
        }
        return reply;
      },
    );
  },
});
