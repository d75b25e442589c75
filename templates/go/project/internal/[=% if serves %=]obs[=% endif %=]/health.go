package obs

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// readyTimeout bounds how long a dependency may keep a probe waiting.
const readyTimeout = 2 * time.Second

// readyKept is for how long an answer of the dependency holds: anybody may ask, as often as they like.
const readyKept = time.Second

// Health answers whether the process lives and whether it should get requests.
type Health struct {
	draining *atomic.Bool
	ready    func(context.Context) error
	log      *slog.Logger
}

// NewHealth makes a Health that is ready when ready is.
func NewHealth(log *slog.Logger, ready func(context.Context) error) Health {
	return Health{draining: new(atomic.Bool), ready: kept(readyKept, ready), log: log}
}

// kept asks once, however many want to know, and for nobody who may hang up meanwhile.
func kept(period time.Duration, ask func(context.Context) error) func(context.Context) error {
	var (
		mutex  sync.Mutex
		until  time.Time
		answer error
	)
	return func(ctx context.Context) error {
		mutex.Lock()
		defer mutex.Unlock()
		if time.Now().Before(until) {
			return answer
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
		defer cancel()
		answer = ask(ctx)
		until = time.Now().Add(period)
		return answer
	}
}

// Drain turns readiness off for good, so that load balancers stop sending requests.
func (h Health) Drain() { h.draining.Store(true) }

// Register adds /livez, which depends on nothing, and /readyz.
func (h Health) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", h.readyz)
}

func (h Health) readyz(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		answer(w, http.StatusServiceUnavailable, "draining")
		return
	}
	if err := h.ready(r.Context()); err != nil {
		h.log.WarnContext(r.Context(), "not ready", "error", err)
		answer(w, http.StatusServiceUnavailable, "database not ready")
		return
	}
	answer(w, http.StatusOK, "ok")
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": text})
}
