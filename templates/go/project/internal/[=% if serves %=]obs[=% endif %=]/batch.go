package obs

import (
	"io"
	"sync"
	"time"
)

const (
	batchSize  = 32 << 10
	batchDelay = 100 * time.Millisecond
)

// Batch collects lines and writes many at once: a write for each costs a busy service more than making the line.
// A line waits for at most a tenth of a second. Lines stay whole, since others may write to the same place.
type Batch struct {
	to      io.Writer
	mu      sync.Mutex
	pending []byte
	timer   *time.Timer
}

// NewBatch makes a batch that is written to w; call Flush when nothing more is to come.
func NewBatch(w io.Writer) *Batch {
	return &Batch{to: w, pending: make([]byte, 0, batchSize)}
}

// Write takes one or more whole lines. As they are written later, it never fails.
func (b *Batch) Write(lines []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending)+len(lines) > batchSize {
		b.flush()
	}
	if len(b.pending) == 0 {
		b.schedule()
	}
	b.pending = append(b.pending, lines...)
	return len(lines), nil
}

// Flush writes what waits.
func (b *Batch) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flush()
}

func (b *Batch) schedule() {
	if b.timer == nil {
		b.timer = time.AfterFunc(batchDelay, b.Flush)
		return
	}
	b.timer.Reset(batchDelay)
}

func (b *Batch) flush() {
	if len(b.pending) > 0 {
		_, _ = b.to.Write(b.pending)
	}
	b.pending = b.pending[:0]
}
