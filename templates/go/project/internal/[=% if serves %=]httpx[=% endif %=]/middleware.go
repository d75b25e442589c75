package httpx

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

var durationBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Middleware wraps a handler.
type Middleware func(http.Handler) http.Handler

// Chain wraps h so that the first middleware sees a request first.
func Chain(h http.Handler, middlewares ...Middleware) http.Handler {
	for _, wrap := range slices.Backward(middlewares) {
		h = wrap(h)
	}
	return h
}

const maxRequestIDLength = 64

// RequestID takes over the caller's X-Request-Id if it is harmless, else makes one; remember keeps it for the logs. It also
// makes the place where authentication puts who the caller is.
func RequestID(remember func(context.Context, string) context.Context) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := r.Header.Get("X-Request-Id")
			if !harmless(id) {
				id = strconv.FormatUint(rand.Uint64(), 32) //nolint:gosec // it tells requests apart and protects nothing
			}
			w.Header()["X-Request-Id"] = []string{id}
			ctx := context.WithValue(remember(r.Context(), id), callerKey{}, new(caller))
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

func harmless(id string) bool {
	if id == "" || len(id) > maxRequestIDLength {
		return false
	}
	for _, c := range []byte(id) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// Headers sets what every answer of a JSON API should carry.
func Headers(next http.Handler) http.Handler {
	// All answers share the values: a handler that sets another one replaces the slice, not what is in it.
	var (
		contentTypeOptions = []string{"nosniff"}
		securityPolicy     = []string{"default-src 'none'; frame-ancestors 'none'"}
		referrerPolicy     = []string{"no-referrer"}
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header["X-Content-Type-Options"] = contentTypeOptions
		header["Content-Security-Policy"] = securityPolicy
		header["Referrer-Policy"] = referrerPolicy
		next.ServeHTTP(w, r)
	})
}

// Observe measures every request, writes it to the log, and turns a panic into a problem. How long a stream was open says
// nothing about speed, so it is only counted.
func Observe(log *slog.Logger, set *metrics.Set, streams func(*http.Request) bool) Middleware {
	var current atomic.Int64
	set.NewGauge("http_requests_in_flight", func() float64 { return float64(current.Load()) })
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			current.Add(1)
			recorder := &statusRecorder{ResponseWriter: w}
			defer func() {
				current.Add(-1)
				recovered := recover()
				if recovered != nil {
					log.ErrorContext(r.Context(), "handler panicked", "panic", recovered, "stack", string(debug.Stack()))
					if recorder.status != 0 {
						recovered = http.ErrAbortHandler // too late for another status
					} else {
						WriteProblem(recorder, http.StatusInternalServerError, "something went wrong; the log has the details")
						recovered = nil
					}
				}
				took := time.Since(start)
				if streams(r) {
					set.GetOrCreateCounter(fmt.Sprintf("http_streams_total{route=%q,status=\"%d\"}", route(r), recorder.code())).Inc()
				} else {
					// Clients can make up ever more methods and paths, but neither routes nor statuses.
					name := fmt.Sprintf("http_request_duration_seconds{route=%q,status=\"%d\"}", route(r), recorder.code())
					set.GetOrCreatePrometheusHistogramExt(name, durationBuckets).Update(took.Seconds())
				}
				logRequest(log, r, recorder, took)
				if recovered != nil {
					panic(recovered)
				}
			}()
			next.ServeHTTP(recorder, r)
		})
	}
}

func logRequest(log *slog.Logger, r *http.Request, recorder *statusRecorder, took time.Duration) {
	level := slog.LevelInfo
	if r.URL.Path == "/livez" || r.URL.Path == "/readyz" {
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("route", route(r)), slog.Int("status", recorder.code()), slog.String("method", r.Method),
		slog.String("path", r.URL.Path), slog.Int64("bytes", recorder.written),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.String("remote", r.RemoteAddr),
	}
	if subject := Subject(r.Context()); subject != "" {
		attrs = append(attrs, slog.String("subject", subject))
	}
	log.LogAttrs(r.Context(), level, "request", attrs...)
}

func route(r *http.Request) string {
	if r.Pattern == "" || r.Pattern == "/" {
		return "none"
	}
	return r.Pattern
}

type statusRecorder struct {
	http.ResponseWriter
	status  int
	written int64
}

func (s *statusRecorder) WriteHeader(status int) {
	if s.status == 0 && status >= http.StatusOK {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusRecorder) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	n, err := s.ResponseWriter.Write(b)
	s.written += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *statusRecorder) code() int {
	if s.status == 0 {
		return http.StatusOK
	}
	return s.status
}

// Shed answers 503 at once when too many requests are under way, instead of letting all of them become slow.
func Shed(limit int, exempt func(*http.Request) bool) Middleware {
	var current atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if exempt(r) {
				next.ServeHTTP(w, r)
				return
			}
			defer current.Add(-1)
			if current.Add(1) > int64(limit) {
				w.Header().Set("Retry-After", "1")
				WriteProblem(w, http.StatusServiceUnavailable, "too many requests are under way")
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
