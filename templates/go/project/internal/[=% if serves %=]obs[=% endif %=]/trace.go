package obs

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Tracing says where traces go; without an endpoint they go nowhere.
type Tracing struct {
	Service, Version  string
	Endpoint, Headers string
	SampleRatio       float64
}

// Start sends traces over OTLP/HTTP until stop is called.
func (t Tracing) Start(ctx context.Context) (stop func(context.Context) error, err error) {
	if t.Endpoint == "" {
		return func(context.Context) error { return nil }, nil
	}
	exporter, err := newOTLPExporter(t.Endpoint, t.Headers)
	if err != nil {
		return nil, err
	}
	res, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", t.Service), attribute.String("service.version", t.Version)),
		resource.WithFromEnv(), resource.WithHost())
	if err != nil {
		return nil, fmt.Errorf("start tracing: %w", err)
	}
	provider := trace.NewTracerProvider(
		trace.WithBatcher(exporter), trace.WithResource(res),
		trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(t.SampleRatio))))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	return provider.Shutdown, nil
}
