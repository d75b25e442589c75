import type { App } from './app.ts';
import { ProblemError } from './problems.ts';

/**
 * A target with another spelling than its own (`/a/./b`, `/a/../b`, `//`, `\`, `%2e`, `%2f`, a host)
 * is one route for the router and may be another one for whoever reads it next: it is refused.
 */
export function refuseOtherSpellings(app: App): void {
  app.addHook('onRequest', async (request) => {
    const target = request.raw.url ?? '';
    if (isPlain(target)) return;
    throw new ProblemError(400, 'bad_request_target', 'The address is not in its plain form');
  });
}

export function isPlain(target: string): boolean {
  const [path = ''] = target.split('?', 1);
  return path.startsWith('/') && !OTHER_SPELLING.test(path);
}

const OTHER_SPELLING = /\/\/|[\\#]|%(?:2e|2f|5c)|\/\.{1,2}(?:\/|$)/i;
