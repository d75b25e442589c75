import type { MlSettings } from './settings.ts';

const TIMEOUT_MS = 400;

/** Asks the service whether it is ready; however many ask at once, one request is on its way. */
export function createReadiness(settings: MlSettings): () => Promise<boolean> {
  const url = new URL('/readyz', settings.ML_URL);
  let asked: Promise<boolean> | undefined;

  async function ask(): Promise<boolean> {
    try {
      const response = await fetch(url, {
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    } finally {
      asked = undefined;
    }
  }
  return () => {
    asked ??= ask();
    return asked;
  };
}
