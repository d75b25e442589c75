import type { App } from './app.ts';
import { ProblemError } from './problems.ts';

const METHODS = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT'] as const;

/**
 * Remembers every route, and returns what answers 405 for each one's other methods; Fastify by
 * itself would say that the address does not exist. Call it when all routes are there.
 */
export function watchMethods(app: App): () => void {
  const known = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = known.get(url) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    known.set(url, methods);
  });

  return () => {
    for (const [url, methods] of [...known]) {
      const missing = METHODS.filter((method) => !methods.has(method));
      if (url.includes('*') || missing.length === 0) continue;
      const allow = [...methods].toSorted().join(', ');
      app.route({
        url,
        method: missing,
        schema: { hide: true },
        handler: async (_request, reply) => {
          reply.header('allow', allow);
          throw new ProblemError(405, 'method_not_allowed', `Only ${allow} is possible here`);
        },
      });
    }
  };
}
