package monitor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Scheduler probes due targets with a bounded number of workers.
type Scheduler struct {
	Service *Service
	Store   Store
	Log     *slog.Logger
	Workers int
	Tick    time.Duration
	// Retention is how long results are kept; 0 leaves removing them to somebody else.
	Retention time.Duration
}

// Run schedules until ctx ends, then waits for the probes under way.
func (s *Scheduler) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, s.Workers)
	tick := time.NewTicker(s.Tick)
	defer tick.Stop()
	prune := time.NewTicker(time.Hour)
	defer prune.Stop()
	for {
		s.round(ctx, slots, &running)
		select {
		case <-ctx.Done():
			return
		case <-prune.C:
			s.prune(ctx)
		case <-tick.C:
		}
	}
}

// round claims no more targets than there are free workers, so that a claimed target is probed at once.
func (s *Scheduler) round(ctx context.Context, slots chan struct{}, running *sync.WaitGroup) {
	free := cap(slots) - len(slots)
	if free == 0 || ctx.Err() != nil {
		return
	}
	due, err := s.Store.ClaimDueTargets(ctx, timestamp(), free)
	if err != nil {
		s.report(ctx, "claim due targets", err)
		return
	}
	for _, t := range due {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			if _, err := s.Service.check(ctx, t); err != nil && !errors.Is(err, ErrNotFound) {
				s.report(ctx, "record result", err)
			}
		})
	}
}

func (s *Scheduler) prune(ctx context.Context) {
	if s.Retention == 0 {
		return
	}
	if _, err := s.Store.PruneResults(ctx, timestamp().Add(-s.Retention)); err != nil {
		s.report(ctx, "prune results", err)
	}
}

func (s *Scheduler) report(ctx context.Context, action string, err error) {
	if ctx.Err() == nil {
		s.Log.ErrorContext(ctx, "could not "+action+"; trying again", "error", err)
	}
}
