import type { Config } from '../config.ts';
import { useTraces } from './traces.ts';

/** How long a collector may keep the process from ending. */
const LAST_MS = 2_000;

/**
 * Sends spans to OTEL_EXPORTER_OTLP_ENDPOINT, where it is set; else OpenTelemetry is not even loaded. It returns what
 * sends the last of them.
 */
export async function startTraces(
  config: Pick<
    Config,
    'OTEL_EXPORTER_OTLP_ENDPOINT' | 'OTEL_SERVICE_NAME' | 'OTEL_TRACES_SAMPLER_ARG'
  >,
): Promise<() => Promise<void>> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = config;
  if (endpoint === undefined) return async () => undefined;
  const { OpenTelemetry } = await import('./open-telemetry.ts');
  const started = new OpenTelemetry({
    endpoint,
    service: config.OTEL_SERVICE_NAME,
    share: config.OTEL_TRACES_SAMPLER_ARG,
  });
  useTraces(started);
  return async () => {
    const deadline = new Promise((resolve) => setTimeout(resolve, LAST_MS).unref());
    await Promise.race([started.stop().catch(() => undefined), deadline]);
  };
}
