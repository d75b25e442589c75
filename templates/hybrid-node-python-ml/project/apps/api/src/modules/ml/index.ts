import { NewPredictions, OrganizationParams, Predictions } from '@app/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BY_SESSION_OR_API_KEY, ORGANIZATION_PATH } from '../../auth/access.ts';
import type { App } from '../../http/app.ts';
import { problems } from '../../http/openapi.ts';
import { PROBLEM_TYPE, ProblemError, sendError } from '../../http/problems.ts';
import { defineModule } from '../../module.ts';
import { createMeter } from '../ml-usage/meter.ts';
import { createMlClient } from './client.ts';
import { CallerGoneError, UnavailableError } from './failures.ts';
import { createReadiness } from './readiness.ts';
import { settings } from './settings.ts';
import { traceIdOf, traceparentOf } from './trace.ts';

/** Predictions by the machine learning service, behind this API's accounts and limits. */
export const ml = defineModule({
  name: 'ml',
  env: settings,
  register(app, services, env) {
    const { requires } = services;
    const count = createMeter(services);
    const client = createMlClient(env, (state) => app.log.warn({ state }, 'ml circuit'));
    answerFailures(app);
    app.dependencies.set('ml', createReadiness(env));

    app.post(
      `${ORGANIZATION_PATH}/predictions`,
      {
        preParsing: requires('prediction:create'),
        schema: {
          tags: ['predictions'],
          security: BY_SESSION_OR_API_KEY,
          operationId: 'createPredictions',
          summary: 'Predict for each instance',
          params: OrganizationParams,
          body: NewPredictions,
          response: { 200: Predictions, ...problems(400, 401, 403, 404, 413, 415, 422, 429) },
        },
      },
      async (request, reply) => {
        const traceparent = traceparentOf(request.headers);
        request.log.info({ traceId: traceIdOf(traceparent) }, 'asking for predictions');
        const takeBack = await count(request, reply);
        try {
          const answer = await client.predict(request.body, {
            requestId: request.id,
            traceparent,
            signal: goneSignal(reply),
          });
          return reply.code(200).send(answer);
        } catch (error) {
          await takeBack(request.body.instances.length);
          throw error;
        }
      },
    );
  },
});

/** Aborts when the connection closes before the answer was written. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** Without an answer of what is called, ours is a 503 that says why, and when to come back. */
export function answerFailures(app: App): void {
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof CallerGoneError) {
      return sendError(new ProblemError(499, 'caller_gone', 'Nobody waits'), request, reply);
    }
    if (!(error instanceof UnavailableError)) {
      return sendError(error as Parameters<typeof sendError>[0], request, reply);
    }
    return sendUnavailable(error, request, reply);
  });
}

function sendUnavailable(error: UnavailableError, request: FastifyRequest, reply: FastifyReply) {
  const level = error.code.endsWith('_misconfigured') ? 'error' : 'warn';
  request.log[level]({ code: error.code, cause: rootCause(error) }, 'no answer');
  return reply.code(503).type(PROBLEM_TYPE).header('retry-after', error.retryAfter).send({
    type: 'about:blank',
    title: 'Service Unavailable',
    status: 503,
    code: error.code,
    detail: error.message,
    requestId: request.id,
  });
}

/** In words: error objects of fetch cannot be redacted, and their stacks say nothing. */
export function rootCause(error: Error): string {
  return error.cause instanceof Error ? rootCause(error.cause) : error.message;
}
