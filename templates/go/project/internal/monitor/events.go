package monitor

import (
	"sync"
	"time"
)

// CheckEvent is what the live stream tells about one probe.
type CheckEvent struct {
	TargetID   string    `json:"target_id" format:"uuid"`
	Name       string    `json:"name"`
	State      State     `json:"state" enum:"unknown,up,down"`
	Healthy    bool      `json:"healthy"`
	StatusCode int       `json:"status_code"`
	LatencyMS  float64   `json:"latency_ms"`
	Failure    string    `json:"failure"`
	CheckedAt  time.Time `json:"checked_at"`
}

// eventBuffer is how far a subscriber may fall behind before it is dropped.
const eventBuffer = 64

// Hub hands events to subscribers without ever waiting for one.
type Hub struct {
	mu          sync.Mutex
	subscribers map[chan CheckEvent]struct{}
	limit       int
	closed      bool
}

// NewHub makes a hub for up to limit subscribers.
func NewHub(limit int) *Hub {
	return &Hub{subscribers: make(map[chan CheckEvent]struct{}), limit: limit}
}

// Subscribe returns a channel that is closed when the subscriber falls behind or the hub closes; ok is false if the hub is full or closed.
func (h *Hub) Subscribe() (events <-chan CheckEvent, cancel func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.subscribers) >= h.limit {
		return nil, nil, false
	}
	ch := make(chan CheckEvent, eventBuffer)
	h.subscribers[ch] = struct{}{}
	return ch, func() { h.drop(ch) }, true
}

// Publish hands e to every subscriber and drops those that are too slow.
func (h *Hub) Publish(e CheckEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subscribers {
		select {
		case ch <- e:
		default:
			delete(h.subscribers, ch)
			close(ch)
		}
	}
}

// Close ends every subscription and accepts no more.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for ch := range h.subscribers {
		delete(h.subscribers, ch)
		close(ch)
	}
}

func (h *Hub) drop(ch chan CheckEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, present := h.subscribers[ch]; present {
		delete(h.subscribers, ch)
		close(ch)
	}
}
