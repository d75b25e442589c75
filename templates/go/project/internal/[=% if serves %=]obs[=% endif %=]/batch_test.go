package obs

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// writes keeps each write by itself.
type writes struct {
	mu   sync.Mutex
	seen []string
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, string(b))
	return len(b), nil
}

func (w *writes) want(t *testing.T, want ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.seen, want) {
		t.Errorf("written were %.80q, want %.80q", w.seen, want)
	}
	w.seen = nil
}

func add(t *testing.T, b *Batch, line string) {
	t.Helper()
	if n, err := b.Write([]byte(line)); n != len(line) || err != nil {
		t.Fatalf("Write gave %d, %v", n, err)
	}
}

func TestBatchWritesLinesTogetherAndSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written := new(writes)
		batch := NewBatch(written)
		for range 2 { // the second time with the timer of the first
			add(t, batch, "one\n")
			time.Sleep(batchDelay - time.Millisecond)
			synctest.Wait()
			written.want(t)
			add(t, batch, "two\n")
			time.Sleep(time.Millisecond)
			synctest.Wait()
			written.want(t, "one\ntwo\n")
			time.Sleep(10 * batchDelay)
			synctest.Wait()
			written.want(t)
		}
	})
}

func TestBatchNeverSplitsALine(t *testing.T) {
	written := new(writes)
	batch := NewBatch(written)
	half := strings.Repeat("x", batchSize/2) + "\n"
	add(t, batch, half)
	add(t, batch, half)
	written.want(t, half)
	long := strings.Repeat("y", 2*batchSize) + "\n"
	add(t, batch, long)
	written.want(t, half)
	batch.Flush()
	written.want(t, long)
	batch.Flush()
	written.want(t)
}

func TestBatchTakesLinesFromManyAtOnce(t *testing.T) {
	const writers, each = 8, 2000
	written := new(writes)
	batch := NewBatch(written)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				_, _ = batch.Write([]byte("a line that says something\n"))
			}
		})
	}
	all.Wait()
	batch.Flush()
	lines := strings.Split(strings.TrimSuffix(strings.Join(written.seen, ""), "\n"), "\n")
	if len(lines) != writers*each {
		t.Fatalf("%d lines were written, want %d", len(lines), writers*each)
	}
	for _, line := range lines {
		if line != "a line that says something" {
			t.Fatalf("a line was written as %q", line)
		}
	}
}
