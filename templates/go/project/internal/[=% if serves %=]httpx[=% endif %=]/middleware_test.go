package httpx

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

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
