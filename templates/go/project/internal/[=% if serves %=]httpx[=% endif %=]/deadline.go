package httpx

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// requestContext is a request's context with a deadline, and with the log that hidden errors go to. Its timer starts when
// somebody first waits for it: most answers that need no input or output are there before, and would pay for nothing.
type requestContext struct {
	context.Context
	log      *slog.Logger
	deadline time.Time

	mu     sync.Mutex
	timed  context.Context // nil until somebody waits
	cancel context.CancelFunc
	ended  bool
}

func newRequestContext(parent context.Context, log *slog.Logger, deadline time.Time) *requestContext {
	if earlier, ok := parent.Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}
	return &requestContext{Context: parent, log: log, deadline: deadline}
}

// end cancels the context when the request is answered.
func (c *requestContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
}

// Deadline is known before the timer runs.
func (c *requestContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done starts the timer.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.cancel = context.WithDeadline(c.Context, c.deadline)
		if c.ended {
			c.cancel()
		}
	}
	return c.timed.Done()
}

// Err looks at the clock as long as no timer runs.
func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed != nil {
		return c.timed.Err()
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	if c.ended {
		return context.Canceled
	}
	if !time.Now().Before(c.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// Value asks the timed context once there is one, as the context package finds there what its children hang on to;
// it would start a goroutine for each of them otherwise.
func (c *requestContext) Value(key any) any {
	if key == (loggerKey{}) {
		return c.log
	}
	c.mu.Lock()
	timed := c.timed
	c.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return c.Context.Value(key)
}
