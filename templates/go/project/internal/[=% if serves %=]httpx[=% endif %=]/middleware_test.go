package httpx

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metrics"
)

func never(*http.Request) bool { return false }

func TestClientsCannotMakeUpEverMoreSeries(t *testing.T) {
	set := metrics.NewSet()
	handler := Observe(slog.New(slog.DiscardHandler), set, never)(http.NotFoundHandler())
	for i := range 100 {
		made := fmt.Sprintf("M%d", i)
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), made, "/"+made, http.NoBody))
	}
	var written strings.Builder
	set.WritePrometheus(&written)
	if got := strings.Count(written.String(), "http_request_duration_seconds_count"); got != 1 {
		t.Fatalf("%d series: %s", got, written.String())
	}
}

func TestARequestIDIsTakenOverOnlyIfItIsHarmless(t *testing.T) {
	t.Parallel()
	for sent, taken := range map[string]bool{
		"0af7651916cd43dd-8448_eb.Z": true, strings.Repeat("a", maxRequestIDLength): true,
		"": false, strings.Repeat("a", maxRequestIDLength+1): false, "a b": false, `a"b`: false, "a/b": false, "ä": false, "@": false, "[": false,
	} {
		var remembered string
		remember := func(ctx context.Context, id string) context.Context {
			remembered = id
			return ctx
		}
		handler := RequestID(remember)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		got, req := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		req.Header.Set("X-Request-Id", sent)
		handler.ServeHTTP(got, req)
		if id := got.Header().Get("X-Request-Id"); id == "" || id != remembered || (id == sent) != taken {
			t.Errorf("%q was answered with %q and remembered as %q", sent, id, remembered)
		}
	}
}

func TestWhatIsUnderWayIsCountedAndWhatIsAnsweredIsLogged(t *testing.T) {
	t.Parallel()
	var logs strings.Builder
	set := metrics.NewSet()
	inFlight := func(want string) {
		t.Helper()
		var written strings.Builder
		set.WritePrometheus(&written)
		if !strings.Contains(written.String(), "http_requests_in_flight "+want+"\n") {
			t.Errorf("not %s in flight: %s", want, written.String())
		}
	}
	handler := Observe(slog.New(slog.NewTextHandler(&logs, nil)), set, never)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		inFlight("1")
		_, _ = w.Write([]byte("he"))
		_, _ = w.Write([]byte("llo"))
	}))
	for _, path := range []string{"/v1/things", "/livez"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		inFlight("0")
	}
	if lines := logs.String(); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, "path=/v1/things bytes=5 ") {
		t.Errorf("logged %s", lines)
	}
}

func TestAPanicIsAnsweredAndLogged(t *testing.T) {
	t.Parallel()
	var logs strings.Builder
	log := slog.New(slog.NewTextHandler(&logs, nil))
	handler := Chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret") }), Headers, Observe(log, metrics.NewSet(), never))
	got := httptest.NewRecorder()
	handler.ServeHTTP(got, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	if got.Code != http.StatusInternalServerError || got.Header().Get("Content-Type") != "application/problem+json" || strings.Contains(got.Body.String(), "secret") {
		t.Errorf("answered %d as %s: %s", got.Code, got.Header().Get("Content-Type"), got.Body)
	}
	if !strings.Contains(logs.String(), "panic=secret") || !strings.Contains(logs.String(), "status=500") {
		t.Errorf("logged %s", logs.String())
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cache-Control": "no-store",
	} {
		if got.Header().Get(name) != want {
			t.Errorf("%s is %q", name, got.Header().Get(name))
		}
	}
}

func TestAPanicInTheMiddleOfAnAnswerEndsTheConnection(t *testing.T) {
	t.Parallel()
	handler := Observe(slog.New(slog.DiscardHandler), metrics.NewSet(), never)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("secret")
	}))
	defer func() {
		if recovered := recover(); recovered != http.ErrAbortHandler { //nolint:errorlint // it is this very value that net/http looks for
			t.Errorf("recovered %v", recovered)
		}
	}()
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
}
