import { z } from 'zod';
import { keptFor } from '../../db/kept.ts';
import { pendingMigrations } from '../../db/migrations.ts';
import { defineModule } from '../../module.ts';

const DEADLINE_MS = 2_000;
/** Anybody may ask, as often as they like: the database hears of it once. */
const KEPT_MS = 1_000;
/** Well below a probe's time: whoever does not answer by then counts as down. */
const DEPENDENCY_MS = 500;

const Ready = z.object({
  status: z.enum(['ready', 'draining', 'unavailable']),
  database: z.enum(['up', 'down']),
  pendingMigrations: z.array(z.string()),
  dependencies: z
    .record(z.string(), z.enum(['up', 'down']))
    .optional()
    .describe('For information: none of them makes the API unready'),
});
type Ready = z.infer<typeof Ready>;

/** /livez says that the process runs; /readyz says whether it should be sent requests. */
export const health = defineModule({
  name: 'health',
  register(app, { database }) {
    const pending = keptFor(KEPT_MS, () => within(DEADLINE_MS, pendingMigrations(database.db)));
    // Probes come often, from one address, and must be answered.
    const options = { config: { rateLimit: false, shed: false }, logLevel: 'warn' } as const;

    app.get(
      '/livez',
      {
        ...options,
        schema: {
          tags: ['health'],
          operationId: 'isAlive',
          summary: 'Whether the process runs',
          response: { 200: z.object({ status: z.literal('alive') }) },
        },
      },
      async () => ({ status: 'alive' as const }),
    );

    app.get(
      '/readyz',
      {
        ...options,
        schema: {
          tags: ['health'],
          operationId: 'isReady',
          summary: 'Whether it should be sent requests',
          response: { 200: Ready, 503: Ready },
        },
      },
      async (request, reply) => {
        const [state, dependencies] = await Promise.all([readiness(), dependencyStates()]);
        if (state.status === 'unavailable') request.log.warn({ state }, 'not ready');
        return reply.code(state.status === 'ready' ? 200 : 503).send({
          ...state,
          ...(app.dependencies.size > 0 && { dependencies }),
        });
      },
    );

    async function readiness(): Promise<Ready> {
      try {
        const names = await pending();
        const serving = app.draining ? 'draining' : 'ready';
        const status = names.length > 0 ? 'unavailable' : serving;
        return { status, database: 'up', pendingMigrations: names };
      } catch {
        return { status: 'unavailable', database: 'down', pendingMigrations: [] };
      }
    }

    async function dependencyStates(): Promise<NonNullable<Ready['dependencies']>> {
      const states = [...app.dependencies].map(async ([name, isUp]) => {
        const up = await within(DEPENDENCY_MS, isUp()).catch(() => false);
        return [name, up ? 'up' : 'down'] as const;
      });
      return Object.fromEntries(await Promise.all(states));
    }
  },
});

async function within<Value>(milliseconds: number, work: Promise<Value>): Promise<Value> {
  const deadline = AbortSignal.timeout(milliseconds);
  return Promise.race([
    work,
    new Promise<never>((_resolve, reject) => {
      deadline.addEventListener('abort', () => reject(deadline.reason), { once: true });
    }),
  ]);
}
