// Package jobs works the jobs that transactions leave in the database.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

const (
	// Timeout is how long a job may take, unless its worker says otherwise.
	Timeout = 15 * time.Second
	// rescueAfter gives the job of a process that died to another one.
	rescueAfter = 20 * time.Second
	startDelay  = time.Second
)

// Client is River's on either engine.
type Client interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

// Options are what a process decides about the jobs that it works.
type Options struct {
	Log      *slog.Logger
	Metrics  *metrics.Set
	Workers  *river.Workers
	Periodic []*river.PeriodicJob
	// Parallel is how many jobs run at once.
	Parallel int
	// FinishTimeout is what running jobs get to finish; then they are cut off, to be retried. StopTimeout is what stopping
	// may take in all.
	FinishTimeout, StopTimeout time.Duration
	// Kinds are those of the jobs.
	Kinds []string
}

// Runner works jobs for as long as a process runs.
type Runner struct {
	open    func(*river.Config) (Client, error)
	options Options
	started atomic.Bool
}

// NewRunner makes a runner; open makes the engine's client.
func NewRunner(open func(*river.Config) (Client, error), o Options) *Runner {
	for _, kind := range o.Kinds {
		for _, outcome := range []string{"done", "failed", "given_up"} {
			worked(o.Metrics, kind, outcome) // a rate needs the zero before the first one
		}
	}
	return &Runner{open: open, options: o}
}

// Run works jobs until ctx ends, then lets those under way finish. A database that does not answer yet is waited for.
func (r *Runner) Run(ctx context.Context) {
	for {
		client, err := r.start(ctx)
		if err == nil {
			r.started.Store(true)
			<-ctx.Done()
			r.stop(context.WithoutCancel(ctx), client)
			return
		}
		r.options.Log.ErrorContext(ctx, "could not start the jobs; trying again", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(startDelay):
		}
	}
}

func (r *Runner) start(ctx context.Context) (Client, error) {
	client, err := r.open(&river.Config{
		Logger:               r.options.Log,
		Workers:              r.options.Workers,
		PeriodicJobs:         r.options.Periodic,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: r.options.Parallel}},
		JobTimeout:           Timeout,
		RescueStuckJobsAfter: rescueAfter,
		SoftStopTimeout:      r.options.FinishTimeout, // running jobs outlive ctx
		Plugins:              []rivertype.Plugin{&meter{set: r.options.Metrics}},
	})
	if err != nil {
		return nil, err
	}
	return client, client.Start(ctx)
}

// Ready fails until jobs are worked.
func (r *Runner) Ready(context.Context) error {
	if !r.started.Load() {
		return errors.New("jobs are not worked yet")
	}
	return nil
}

// stop waits for the jobs that finish.
func (r *Runner) stop(ctx context.Context, client Client) {
	limit, cancel := context.WithTimeout(ctx, r.options.StopTimeout)
	defer cancel()
	if err := client.Stop(limit); err != nil {
		r.options.Log.ErrorContext(ctx, "could not stop the jobs cleanly; they will be retried", "error", err)
	}
}

var errPanicked = errors.New("panicked")

var durationBuckets = []float64{.005, .01, .05, .1, .5, 1, 5, 10}

// meter measures every job.
type meter struct {
	river.PluginDefaults
	set *metrics.Set
}

// Work measures one attempt.
func (m *meter) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	start, err := time.Now(), errPanicked // until work returns
	defer func() {
		worked(m.set, job.Kind, outcome(err, job.Attempt >= job.MaxAttempts)).Inc()
		m.set.GetOrCreatePrometheusHistogramExt(fmt.Sprintf("job_duration_seconds{kind=%q}", job.Kind), durationBuckets).
			Update(time.Since(start).Seconds())
	}()
	err = work(ctx)
	return err
}

func worked(set *metrics.Set, kind, outcome string) *metrics.Counter {
	return set.GetOrCreateCounter(fmt.Sprintf("jobs_total{kind=%q,outcome=%q}", kind, outcome))
}

func outcome(err error, last bool) string {
	if err == nil {
		return "done"
	}
	if _, cancelled := errors.AsType[*rivertype.JobCancelError](err); cancelled {
		return "given_up"
	}
	if _, snoozed := errors.AsType[*rivertype.JobSnoozeError](err); snoozed {
		return "postponed"
	}
	if last {
		return "given_up"
	}
	return "failed"
}
