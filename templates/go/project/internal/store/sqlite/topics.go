package sqlite

import (
	"context"
	"sync"
)

// topics hand what is announced in this process to those who listen in it: the file belongs to one process.
type topics struct {
	mu        sync.Mutex
	listeners map[*listener]struct{}
}

type listener struct {
	topic string
	each  func(message string)
}

type announcement struct{ topic, message string }

// commit keeps the order of the commits: no other transaction ends before all have heard of this one.
func (t *topics) commit(tx *transaction) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, a := range tx.announced {
		for l := range t.listeners {
			if l.topic == a.topic {
				l.each(a.message)
			}
		}
	}
	return nil
}

// Announce tells message to all who listen to the topic, once the transaction of ctx commits.
func (s Store) Announce(ctx context.Context, topic, message string) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		tx := s.tx(ctx)
		tx.announced = append(tx.announced, announcement{topic, message})
		return nil
	})
}

// Listen hands every message to each until ctx ends.
func (s Store) Listen(ctx context.Context, topic string, ready func(), each func(string)) error {
	l := &listener{topic, each}
	s.topics.mu.Lock()
	s.topics.listeners[l] = struct{}{}
	s.topics.mu.Unlock()
	ready()
	<-ctx.Done()
	s.topics.mu.Lock()
	defer s.topics.mu.Unlock()
	delete(s.topics.listeners, l)
	return ctx.Err()
}
