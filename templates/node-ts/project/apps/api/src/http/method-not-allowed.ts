import { METHODS } from 'node:http';
import type { App } from './app.ts';
import { ProblemError } from './problems.ts';

/** All that the parser knows. OPTIONS is answered for every address, CONNECT never gets to a route. */
const OTHERS = METHODS.filter((method) => method !== 'OPTIONS' && method !== 'CONNECT');

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
    for (const method of OTHERS) {
      if (!app.supportedMethods.includes(method)) app.addHttpMethod(method);
    }
    for (const [url, methods] of [...known]) {
      const missing = OTHERS.filter((method) => !methods.has(method));
      // The route `*` is there for OPTIONS alone: addresses that are nobody's stay unknown.
      if (url === '*' || missing.length === 0) continue;
      const allow = [...methods].toSorted().join(', ');
      app.route({
        url,
        method: missing,
        schema: { hide: true },
        // Behind the rate limit, and before anybody looks at the body.
        preParsing: async (_request, reply) => {
          reply.header('allow', allow);
          throw new ProblemError(405, 'method_not_allowed', `Only ${allow} is possible here`);
        },
        handler: () => undefined,
      });
    }
  };
}
