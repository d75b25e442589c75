package httpx

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

func TestClientsCannotMakeUpEverMoreSeries(t *testing.T) {
	cache := &seriesCache{set: metrics.NewSet(), log: slog.DiscardHandler}
	cache.known.Store(&map[series]seriesState{})
	for i := range 100 {
		made := fmt.Sprintf("M%d", i)
		cache.get(httptest.NewRequestWithContext(t.Context(), made, "/"+made, http.NoBody), http.StatusNotFound)
	}
	if got := len(*cache.known.Load()); got != 1 {
		t.Fatalf("%d series", got)
	}
}

func TestTheTimeBeforeAHandlerCountsTowardsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Second)
				next.ServeHTTP(w, r)
			})
		}
		ages := map[bool]time.Duration{true: time.Second, false: 0}
		for observe, want := range ages {
			handler := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if got := time.Since(arrival(w)); got != want {
					t.Errorf("observed %t: came %s ago, want %s", observe, got, want)
				}
			}))
			handler = wait(handler)
			if observe {
				handler = Observe(slog.New(slog.DiscardHandler), slog.New(slog.DiscardHandler), metrics.NewSet())(handler)
			}
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		}
	})
}
