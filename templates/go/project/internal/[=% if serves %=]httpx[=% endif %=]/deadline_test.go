package httpx

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

const patience = time.Second

func inBubble(t *testing.T, test func(t *testing.T, c *requestContext)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, newRequestContext(t.Context(), slog.New(slog.DiscardHandler), time.Now().Add(patience)))
	})
}

func TestARequestContextEndsAtItsDeadlineWhetherOrNotSomebodyWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, c *requestContext) {
		time.Sleep(patience - time.Nanosecond)
		if err := c.Err(); err != nil {
			t.Fatalf("too early: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if err := c.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("nobody waited: %v", err)
		}
		<-c.Done()
		if err := c.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("waited afterwards: %v", err)
		}
	})
	inBubble(t, func(t *testing.T, c *requestContext) {
		start := time.Now()
		<-c.Done()
		if waited := time.Since(start); waited != patience || !errors.Is(c.Err(), context.DeadlineExceeded) {
			t.Fatalf("waited %v: %v", waited, c.Err())
		}
	})
}

func TestARequestContextEndsWithItsRequest(t *testing.T) {
	for name, wait := range map[string]bool{"waited for": true, "not waited for": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *requestContext) {
				if wait {
					c.Done()
				}
				c.end()
				if err := c.Err(); !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				<-c.Done()
				if err := c.Err(); !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestARequestContextEndsWithItsParent(t *testing.T) {
	for name, wait := range map[string]bool{"waited for": true, "not waited for": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, cancel := context.WithCancel(t.Context())
				c := newRequestContext(parent, slog.New(slog.DiscardHandler), time.Now().Add(patience))
				if wait {
					c.Done()
				}
				cancel()
				if err := c.Err(); !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				<-c.Done()
			})
		})
	}
	early, cancel := context.WithTimeout(t.Context(), patience/2)
	defer cancel()
	c := newRequestContext(early, slog.New(slog.DiscardHandler), time.Now().Add(patience))
	defer c.end()
	deadline, _ := c.Deadline()
	if expected, _ := early.Deadline(); !deadline.Equal(expected) {
		t.Fatalf("deadline %v, parent's %v", deadline, expected)
	}
}

func TestAChildOfARequestContextCostsNoGoroutine(t *testing.T) {
	inBubble(t, func(t *testing.T, c *requestContext) {
		before := runtime.NumGoroutine()
		child, cancel := context.WithCancel(c)
		defer cancel()
		synctest.Wait()
		if after := runtime.NumGoroutine(); after != before {
			t.Fatalf("%d goroutines, %d before", after, before)
		}
		c.end()
		<-child.Done()
	})
}

func TestARequestContextKeepsItsParentsValues(t *testing.T) {
	type key struct{}
	c := newRequestContext(context.WithValue(t.Context(), key{}, "kept"), slog.New(slog.DiscardHandler), time.Now().Add(patience))
	defer c.end()
	for range 2 {
		if c.Value(key{}) != "kept" || c.Value(loggerKey{}) != c.log {
			t.Fatalf("%v, %v", c.Value(key{}), c.Value(loggerKey{}))
		}
		c.Done()
	}
}
