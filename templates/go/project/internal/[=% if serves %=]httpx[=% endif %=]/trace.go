package httpx

import (
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Trace gives every request a span that continues the caller's trace, and costs nothing while it is off.
func Trace(on bool) Middleware {
	if !on {
		return func(next http.Handler) http.Handler { return next }
	}
	return traced
}

func traced(next http.Handler) http.Handler {
	tracer := otel.Tracer("http.server")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := otel.GetTextMapPropagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		recorder := &statusRecorder{ResponseWriter: w}
		r = r.WithContext(ctx)
		next.ServeHTTP(recorder, r)
		if !span.IsRecording() {
			return
		}
		span.SetName(route(r))
		span.SetAttributes(
			attribute.String("http.request.method", r.Method), attribute.String("url.path", r.URL.Path),
			attribute.String("http.route", route(r)), attribute.Int("http.response.status_code", recorder.code()))
		if recorder.code() >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	})
}
