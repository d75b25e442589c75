package jobs

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// Backlog is what the jobs' table has of one kind.
type Backlog struct {
	Kind string
	// Due wait for a worker, Later for their time.
	Due, Later, Active int64
	// Dead have failed for good.
	Dead int64
	// Oldest is for how long the first of those that are due has been due.
	Oldest time.Duration
}

// Backlogs reads the jobs' table.
type Backlogs interface {
	Backlogs(ctx context.Context) ([]Backlog, error)
}

// WriteBacklog makes what writes the backlog in the text format of Prometheus. The kinds that are known are told even if
// the table has none of them.
func WriteBacklog(db Backlogs, kinds []string) func(ctx context.Context, w io.Writer) error {
	return func(ctx context.Context, w io.Writer) error {
		found, err := db.Backlogs(ctx)
		if err != nil {
			return err
		}
		all := make(map[string]Backlog, len(kinds))
		order := append([]string(nil), kinds...)
		for _, kind := range kinds {
			all[kind] = Backlog{Kind: kind}
		}
		for _, each := range found {
			if _, known := all[each.Kind]; !known {
				order = append(order, each.Kind)
			}
			all[each.Kind] = each
		}
		var jobs, oldest, dead strings.Builder
		for _, kind := range order {
			b := all[kind]
			const states = "queue_jobs{kind=%[1]q,state=\"waiting\"} %[2]d\n" +
				"queue_jobs{kind=%[1]q,state=\"later\"} %[3]d\n" + "queue_jobs{kind=%[1]q,state=\"active\"} %[4]d\n"
			_, _ = fmt.Fprintf(&jobs, states, kind, b.Due, b.Later, b.Active)
			_, _ = fmt.Fprintf(&oldest, "queue_oldest_waiting_seconds{kind=%q} %g\n", kind, b.Oldest.Seconds())
			_, _ = fmt.Fprintf(&dead, "queue_dead_letters{kind=%q} %d\n", kind, b.Dead)
		}
		_, err = fmt.Fprintf(w, `# HELP queue_jobs Jobs, by kind and state: waiting (due), later or active.
# TYPE queue_jobs gauge
%s# HELP queue_oldest_waiting_seconds For how long the oldest job of a kind has been due.
# TYPE queue_oldest_waiting_seconds gauge
%s# HELP queue_dead_letters Jobs of the last days that have failed for good, by kind.
# TYPE queue_dead_letters gauge
%s`, &jobs, &oldest, &dead)
		return err
	}
}
