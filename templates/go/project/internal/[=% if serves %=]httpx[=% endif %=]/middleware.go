package httpx

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// RequestID takes over the caller's X-Request-Id if it is harmless, else makes one; remember keeps it for the logs.
func RequestID(remember func(context.Context, string) context.Context) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := r.Header.Get("X-Request-Id")
			if !harmless(id) {
				id = strconv.FormatUint(rand.Uint64(), 32) //nolint:gosec // it tells requests apart and protects nothing
			}
			w.Header()["X-Request-Id"] = []string{id}
			next.ServeHTTP(w, r.WithContext(remember(r.Context(), id)))
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

// Observe measures every request, writes it to the access log, and turns a panic into a problem.
func Observe(log, accessLog *slog.Logger, set *metrics.Set) Middleware {
	var current atomic.Int64
	cache := &seriesCache{set: set, log: accessLog.Handler()}
	cache.known.Store(&map[series]seriesState{})
	set.NewGauge("http_requests_in_flight", func() float64 { return float64(current.Load()) })
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			current.Add(1)
			recorder := &observed{statusRecorder: statusRecorder{ResponseWriter: w}, start: start}
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
				end := time.Now()
				shared := cache.get(r, recorder.code())
				shared.durations.Update(end.Sub(start).Seconds())
				logRequest(shared.log, r, recorder.written, start, end)
				if recovered != nil {
					panic(recovered)
				}
			}()
			next.ServeHTTP(recorder, r)
		})
	}
}

// observed also tells the inner middlewares when the request came, so that none of them reads the clock again.
type observed struct {
	statusRecorder
	start time.Time
}

// arrival is when Observe saw the request that w answers; without it, now.
func arrival(w http.ResponseWriter) time.Time {
	if o, ok := w.(*observed); ok {
		return o.start
	}
	return time.Now()
}

// series tells requests apart as far as clients cannot make up ever more of them, which they can of methods.
type series struct {
	route  string
	method string // only of routes that name it
	status int
}

// seriesState is what all requests of a series share.
type seriesState struct {
	durations *metrics.PrometheusHistogram
	log       slog.Handler
}

// seriesCache finds what a series has without writing its name, formatting its attributes, taking a lock or allocating
// for each request.
type seriesCache struct {
	set   *metrics.Set
	log   slog.Handler
	mu    sync.Mutex
	known atomic.Pointer[map[series]seriesState]
}

func (c *seriesCache) get(r *http.Request, status int) seriesState {
	key := series{route: route(r), status: status}
	if namesMethod(r) {
		key.method = r.Method
	}
	if found, ok := (*c.known.Load())[key]; ok {
		return found
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	name := fmt.Sprintf("http_request_duration_seconds{route=%q,status=\"%d\"}", key.route, key.status)
	attrs := []slog.Attr{slog.String("route", key.route), slog.Int("status", key.status)}
	if key.method != "" {
		attrs = append(attrs, slog.String("method", key.method))
	}
	extended := maps.Clone(*c.known.Load())
	extended[key] = seriesState{
		durations: c.set.GetOrCreatePrometheusHistogramExt(name, durationBuckets),
		log:       c.log.WithAttrs(attrs),
	}
	c.known.Store(&extended)
	return extended[key]
}

// logRequest hands the record to the handler itself, as a Logger would look up the line it is called from each time.
func logRequest(handler slog.Handler, r *http.Request, written int64, start, end time.Time) {
	level := slog.LevelInfo
	if r.URL.Path == "/livez" || r.URL.Path == "/readyz" {
		level = slog.LevelDebug
	}
	if !handler.Enabled(r.Context(), level) {
		return
	}
	record := slog.NewRecord(end, level, "request", 0)
	if !namesMethod(r) {
		record.AddAttrs(slog.String("method", r.Method))
	}
	record.AddAttrs(
		slog.String("path", r.URL.Path), slog.Int64("bytes", written),
		slog.Float64("duration_ms", float64(end.Sub(start).Microseconds())/1000), slog.String("remote", r.RemoteAddr))
	_ = handler.Handle(r.Context(), record)
}

// namesMethod is whether the route is of certain methods, which its series then has in its attributes.
func namesMethod(r *http.Request) bool { return strings.Contains(r.Pattern, " ") }

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
