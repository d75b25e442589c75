import type { App } from '../../http/app.ts';
import { ProblemError } from '../../http/problems.ts';

/** Answers 404 for every route of a module; they stay in the OpenAPI document, whatever the environment. */
export function switchOff(app: App, where: string): void {
  app.addHook('onRequest', async () => {
    throw new ProblemError(404, 'switched_off', `This is there where ${where}`);
  });
}
