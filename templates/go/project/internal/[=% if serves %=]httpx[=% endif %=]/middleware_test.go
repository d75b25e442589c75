package httpx

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/danielgtaylor/huma/v2"
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
	const late, timeout = time.Second, 3 * time.Second
	log := slog.New(slog.DiscardHandler)
	for name, outermost := range map[string]struct {
		Middleware
		left time.Duration
	}{
		"observed": {Observe(log, log, metrics.NewSet()), timeout - late},
		"alone":    {func(next http.Handler) http.Handler { return next }, timeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mux := http.NewServeMux()
				var left time.Duration
				huma.Get(NewAPI(mux, "", "", log, timeout, nil), "/", func(ctx context.Context, _ *struct{}) (*struct{}, error) {
					deadline, _ := ctx.Deadline()
					left = time.Until(deadline)
					return &struct{}{}, nil
				})
				handler := Chain(mux, outermost.Middleware, func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						time.Sleep(late)
						next.ServeHTTP(w, r)
					})
				})
				handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
				if left != outermost.left {
					t.Fatalf("%s are left, want %s", left, outermost.left)
				}
			})
		})
	}
}
