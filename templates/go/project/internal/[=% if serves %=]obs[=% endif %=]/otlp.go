package obs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
)

// otlpExporter posts spans in OTLP's JSON encoding. The official exporter does the same in protobuf,
// but links gRPC and protobuf for it, by which a service would be a third larger.
type otlpExporter struct {
	client  *http.Client
	url     string
	headers http.Header
}

const (
	exportTimeout  = 10 * time.Second
	exportAttempts = 3
)

// newOTLPExporter takes headers in the form of OTEL_EXPORTER_OTLP_HEADERS: key=value pairs separated by commas.
func newOTLPExporter(endpoint, headers string) (*otlpExporter, error) {
	e := &otlpExporter{
		client:  &http.Client{Timeout: exportTimeout},
		url:     strings.TrimSuffix(endpoint, "/") + "/v1/traces",
		headers: http.Header{"Content-Type": {"application/json"}},
	}
	for pair := range strings.SplitSeq(headers, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, raw, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(raw))
		if !found || err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_HEADERS must be key=value pairs separated by commas")
		}
		e.headers.Set(strings.TrimSpace(key), value)
	}
	return e, nil
}

// ExportSpans sends one batch, again if the collector asks for it.
func (e *otlpExporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	body, err := json.Marshal(encodeSpans(spans))
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		retry, err := e.post(ctx, body)
		if err == nil || !retry || attempt == exportAttempts {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(attempt) * time.Second):
		}
	}
}

// Shutdown has nothing to release.
func (*otlpExporter) Shutdown(context.Context) error { return nil }

func (e *otlpExporter) post(ctx context.Context, body []byte) (retry bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header = e.headers.Clone()
	resp, err := e.client.Do(req)
	if err != nil {
		return true, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, fmt.Errorf("collector answered with status %d", resp.StatusCode)
	}
	return false, fmt.Errorf("collector answered with status %d", resp.StatusCode)
}

// The shapes of OTLP's JSON encoding: ids in hex, 64-bit numbers as strings.
type (
	otlpRequest struct {
		ResourceSpans []otlpResourceSpans `json:"resourceSpans"`
	}
	otlpResourceSpans struct {
		Resource   otlpResource     `json:"resource"`
		ScopeSpans []otlpScopeSpans `json:"scopeSpans"`
	}
	otlpResource struct {
		Attributes []otlpAttribute `json:"attributes"`
	}
	otlpScopeSpans struct {
		Scope otlpScope  `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	otlpScope struct {
		Name string `json:"name"`
	}
	otlpSpan struct {
		TraceID           string          `json:"traceId"`
		SpanID            string          `json:"spanId"`
		ParentSpanID      string          `json:"parentSpanId,omitempty"`
		Name              string          `json:"name"`
		Kind              int             `json:"kind"`
		StartTimeUnixNano string          `json:"startTimeUnixNano"`
		EndTimeUnixNano   string          `json:"endTimeUnixNano"`
		Attributes        []otlpAttribute `json:"attributes"`
		Events            []otlpEvent     `json:"events,omitempty"`
		Status            otlpStatus      `json:"status"`
	}
	otlpEvent struct {
		Name         string          `json:"name"`
		TimeUnixNano string          `json:"timeUnixNano"`
		Attributes   []otlpAttribute `json:"attributes"`
	}
	otlpStatus struct {
		Code    int    `json:"code,omitempty"`
		Message string `json:"message,omitempty"`
	}
	otlpAttribute struct {
		Key   string         `json:"key"`
		Value map[string]any `json:"value"`
	}
)

// encodeSpans puts all spans under one resource, as one process has only one.
func encodeSpans(spans []trace.ReadOnlySpan) otlpRequest {
	byScope := map[string]int{}
	var scopes []otlpScopeSpans
	for _, s := range spans {
		name := s.InstrumentationScope().Name
		i, known := byScope[name]
		if !known {
			i = len(scopes)
			byScope[name] = i
			scopes = append(scopes, otlpScopeSpans{Scope: otlpScope{name}})
		}
		scopes[i].Spans = append(scopes[i].Spans, encodeSpan(s))
	}
	return otlpRequest{[]otlpResourceSpans{{
		Resource:   otlpResource{encodeAttributes(spans[0].Resource().Attributes())},
		ScopeSpans: scopes,
	}}}
}

func encodeSpan(s trace.ReadOnlySpan) otlpSpan {
	encoded := otlpSpan{
		TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(),
		Name: s.Name(), Kind: int(s.SpanKind()),
		StartTimeUnixNano: nanos(s.StartTime()), EndTimeUnixNano: nanos(s.EndTime()),
		Attributes: encodeAttributes(s.Attributes()), Status: encodeStatus(s.Status()),
	}
	if s.Parent().SpanID().IsValid() {
		encoded.ParentSpanID = s.Parent().SpanID().String()
	}
	for _, e := range s.Events() {
		encoded.Events = append(encoded.Events, otlpEvent{e.Name, nanos(e.Time), encodeAttributes(e.Attributes)})
	}
	return encoded
}

func encodeStatus(status trace.Status) otlpStatus {
	switch status.Code {
	case codes.Ok:
		return otlpStatus{Code: 1}
	case codes.Error:
		return otlpStatus{Code: 2, Message: status.Description}
	default:
		return otlpStatus{}
	}
}

func encodeAttributes(attributes []attribute.KeyValue) []otlpAttribute {
	encoded := make([]otlpAttribute, 0, len(attributes))
	for _, a := range attributes {
		encoded = append(encoded, otlpAttribute{string(a.Key), encodeValue(a.Value)})
	}
	return encoded
}

func encodeValue(v attribute.Value) map[string]any {
	switch v.Type() {
	case attribute.BOOL:
		return map[string]any{"boolValue": v.AsBool()}
	case attribute.INT64:
		return map[string]any{"intValue": strconv.FormatInt(v.AsInt64(), 10)}
	case attribute.FLOAT64:
		return map[string]any{"doubleValue": v.AsFloat64()}
	default:
		return map[string]any{"stringValue": v.String()}
	}
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
