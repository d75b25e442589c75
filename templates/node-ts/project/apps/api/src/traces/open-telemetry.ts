import {
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Headers, RequestSpan, Step, Traces, Work } from './traces.ts';

export interface OpenTelemetryOptions {
  readonly endpoint: string;
  readonly service: string;
  /** Of the traces that begin here, the share that is kept. */
  readonly share: number;
}

/** Spans by the official SDK. What else the standard variables say (headers, timeout, compression) the exporter reads itself. */
export class OpenTelemetry implements Traces {
  readonly #provider: TracerProvider;

  constructor({ endpoint, service, share }: OpenTelemetryOptions) {
    const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
    this.#provider = new TracerProvider({
      resource: defaultResource()
        .merge(resourceFromAttributes({ 'service.name': service }))
        .merge(detectResources({ detectors: [envDetector] })),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
      spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url }) })],
    });
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    trace.setGlobalTracerProvider(this.#provider);
  }

  request(method: string, headers: Headers): RequestSpan {
    const parent = propagation.extract(ROOT_CONTEXT, headers);
    const options = { kind: SpanKind.SERVER, attributes: { 'http.request.method': method } };
    const span = this.#tracer.startSpan(method, options, parent);
    const inside = trace.setSpan(parent, span);
    return {
      traceId: span.spanContext().traceId,
      run: (work) => context.with(inside, work),
      end: (route, status) => {
        span.updateName(`${method} ${route}`);
        span.setAttributes({ 'http.route': route, 'http.response.status_code': status });
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      },
    };
  }

  job<Result>(name: string, from: string | undefined, work: Work<Result>): Promise<Result> {
    const origin = trace.getSpanContext(
      propagation.extract(ROOT_CONTEXT, { traceparent: from ?? '' }),
    );
    const span = this.#tracer.startSpan(
      `job ${name}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: { 'messaging.destination.name': name },
        // A trace of its own: it may run days later, and many times.
        links: origin ? [{ context: origin }] : [],
      },
      ROOT_CONTEXT,
    );
    return within(span, () => work(span.spanContext().traceId));
  }

  step<Result>({ name, attributes }: Step, work: () => Promise<Result>): Promise<Result> {
    if (!trace.getActiveSpan()?.isRecording()) return work();
    return within(this.#tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }), work);
  }

  here(): string | undefined {
    const carrier: { traceparent?: string } = {};
    propagation.inject(context.active(), carrier);
    return carrier.traceparent;
  }

  stop(): Promise<void> {
    return this.#provider.shutdown();
  }

  get #tracer() {
    return this.#provider.getTracer('app');
  }
}

async function within<Result>(span: Span, work: () => Promise<Result>): Promise<Result> {
  try {
    return await context.with(trace.setSpan(context.active(), span), work);
  } catch (error) {
    // Messages may hold values: the kind of the error tells enough, the log has the rest.
    span.setAttribute('error.type', error instanceof Error ? error.name : typeof error);
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}
