package obs

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheDatabaseIsAskedOnceForAllWhoWantToKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, down := 0, errors.New("down")
		var state error
		mux := http.NewServeMux()
		NewHealth(slog.New(slog.DiscardHandler), func(ctx context.Context) error {
			asked++
			return errors.Join(state, ctx.Err())
		}).Register(mux)
		get := func(ctx context.Context) int {
			recorder := httptest.NewRecorder()
			mux.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz", nil))
			return recorder.Code
		}

		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		for _, ctx := range []context.Context{gone, t.Context(), t.Context(), t.Context()} {
			if status := get(ctx); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
		}
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}

		state = down
		time.Sleep(readyKept)
		if status := get(t.Context()); status != http.StatusServiceUnavailable || asked != 2 {
			t.Errorf("a second later: status %d, asked %d times", status, asked)
		}
	})
}
