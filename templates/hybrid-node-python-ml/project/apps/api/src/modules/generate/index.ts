import { Answer, AnswerEvent, NewAnswer, OrganizationParams, TokenUsage } from '@app/contracts';
import type { FastifyRequest } from 'fastify';
import { accessOf, BY_SESSION_OR_API_KEY, ORGANIZATION_PATH } from '../../auth/access.ts';
import { withTenant } from '../../db/tenant.ts';
import { problems } from '../../http/openapi.ts';
import { noMetrics } from '../../metrics/metrics.ts';
import { defineModule } from '../../module.ts';
import { CallerGoneError } from '../ml/failures.ts';
import { answerFailures, goneSignal } from '../ml/index.ts';
import { switchOff } from '../ml/switch.ts';
import { HEARTBEAT } from '../ml-stream/messages.ts';
import { sendEvents } from '../ml-stream/send.ts';
import { readTokenUsage } from '../ml-usage/meter.ts';
import { createTokenMeter } from '../ml-usage/tokens.ts';
import { createGenerateClient } from './client.ts';
import { GenerateRefusedError } from './failures.ts';
import { createMeasure } from './measure.ts';
import { settings } from './settings.ts';
import { type AnswerPart, Tally } from './tally.ts';

const JSON_TYPE = 'application/json';
const EVENTS = 'text/event-stream';

/** Answers of a language model, where the environment says which: docs/generate.md. */
export const generate = defineModule({
  name: 'generate',
  env: settings,
  register(app, { database, metrics, requires }, env) {
    const isOn = env.GENERATE_URL !== undefined && env.GENERATE_MODEL !== undefined;
    if (!isOn) switchOff(app, 'GENERATE_URL and GENERATE_MODEL are set');
    const client = createGenerateClient(env, (state) => app.log.warn({ state }, 'model circuit'));
    const reserve = createTokenMeter(database, env.GENERATE_MONTHLY_TOKENS);
    const measure = createMeasure(isOn ? metrics : noMetrics, () => client.state);
    answerFailures(app);

    app.post(
      `${ORGANIZATION_PATH}/generate`,
      {
        preParsing: requires('answer:create'),
        schema: {
          tags: ['generate'],
          security: BY_SESSION_OR_API_KEY,
          operationId: 'generateAnswer',
          summary:
            'Have a language model answer, as it speaks or (with Accept: application/json) at once',
          params: OrganizationParams,
          body: NewAnswer,
          response: {
            200: {
              description:
                'The answer; of server-sent events the schema is that of the data of each',
              content: { [EVENTS]: { schema: AnswerEvent }, [JSON_TYPE]: { schema: Answer } },
            },
            ...problems(400, 401, 403, 404, 413, 415, 422, 429),
          },
        },
      },
      async (request, reply) => {
        const { messages, maxTokens = env.GENERATE_MAX_TOKENS } = request.body;
        const prompt = { messages, maxTokens: Math.min(maxTokens, env.GENERATE_MAX_TOKENS) };
        const gone = goneSignal(reply);
        const tally = new Tally(prompt);
        const measured = measure();
        let settle: Awaited<ReturnType<typeof reserve>> | undefined;
        try {
          settle = await reserve(request, reply, tally.atMost);
          await client.generate(prompt, gone, async (events) => {
            const parts = tally.watch(measured.watch(events));
            if (wantsJson(request))
              reply
                .code(200)
                .type(JSON_TYPE)
                .send(await whole(parts));
            else await sendEvents(parts, request, reply, env.GENERATE_TIMEOUT_MS);
          });
          return reply;
        } catch (error) {
          measured.failed(error);
          // Whoever asked got nothing, unless it was they who left.
          if (!(error instanceof CallerGoneError)) tally.forget();
          if (error instanceof GenerateRefusedError) {
            // Not in the model's words, which may repeat the question's.
            request.log.warn({ status: error.status, code: error.code }, 'the model refuses');
          }
          throw error;
        } finally {
          measured.ended(tally);
          await settle?.(tally.used);
        }
      },
    );

    app.get(
      `${ORGANIZATION_PATH}/generate/usage`,
      {
        preParsing: requires('answer:read'),
        schema: {
          tags: ['generate'],
          security: BY_SESSION_OR_API_KEY,
          operationId: 'readTokenUsage',
          summary: 'How many tokens were used this month and before',
          params: OrganizationParams,
          response: { 200: TokenUsage, ...problems(400, 401, 403, 404, 429) },
        },
      },
      async (request, reply) => {
        const usage = await withTenant(database, accessOf(request).organizationId, readTokenUsage);
        return reply.code(200).send({ ...usage, limit: env.GENERATE_MONTHLY_TOKENS ?? null });
      },
    );
  },
});

/** Events are for those who ask for them, and for those who ask for nothing in particular. */
function wantsJson({ headers: { accept = '' } }: FastifyRequest): boolean {
  return accept.includes(JSON_TYPE) && !accept.includes(EVENTS);
}

async function whole(events: AsyncIterable<AnswerPart>): Promise<Answer> {
  let text = '';
  for await (const event of events) {
    if (event === HEARTBEAT) continue;
    if (event.type === 'delta') text += event.text;
    else return { text, finishReason: event.finishReason, usage: event.usage };
  }
  throw new Error('an answer has an end');
}
