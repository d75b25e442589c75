// Package monitor watches deployments: it probes targets on schedule, keeps the results and raises
// an alert when a target goes down or recovers.
package monitor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Errors that a caller is expected to tell apart.
var (
	ErrNotFound  = errors.New("target not found")
	ErrNameTaken = errors.New("another target has this name")
	ErrStale     = errors.New("the target was changed by someone else; read it again")
)

// Limits of what a target may ask for.
const (
	MinInterval     = 5 * time.Second
	MaxInterval     = 24 * time.Hour
	MinTimeout      = 100 * time.Millisecond
	MaxTimeout      = time.Minute
	MaxThreshold    = 100
	MaxNameLength   = 100
	MaxURLLength    = 2048
	MaxPageSize     = 100
	DefaultPageSize = 20
)

// State is what the last probes say about a target.
type State string

// The states of a target.
const (
	StateUnknown State = "unknown"
	StateUp      State = "up"
	StateDown    State = "down"
)

// Spec is the part of a target that its owner decides.
type Spec struct {
	Name     string
	URL      string
	Interval time.Duration
	Timeout  time.Duration
	// ExpectedStatus is the one healthy status code; 0 takes every 2xx.
	ExpectedStatus int
	// FailureThreshold is how many failures in a row make the target down.
	FailureThreshold int
	// WebhookURL receives the target's alerts; empty sends none.
	WebhookURL string
	Enabled    bool
}

// Target is something that is probed.
type Target struct {
	ID uuid.UUID
	Spec
	State       State
	Failures    int
	NextCheckAt time.Time
	Version     int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Result is the outcome of one probe.
type Result struct {
	ID         uuid.UUID
	TargetID   uuid.UUID
	CheckedAt  time.Time
	Healthy    bool
	StatusCode int
	Latency    time.Duration
	Failure    string
}

// Alert is one message to a webhook, kept until it is delivered or given up.
type Alert struct {
	ID            uuid.UUID
	TargetID      uuid.UUID
	WebhookURL    string
	Payload       string
	Attempts      int
	NextAttemptAt *time.Time
	DeliveredAt   *time.Time
	LastError     string
	CreatedAt     time.Time
}

// Store keeps targets, results and alerts. Every engine passes the suite in store/storetest.
type Store interface {
	// InTx runs fn in one transaction, rolled back when fn fails.
	InTx(ctx context.Context, fn func(Store) error) error

	CreateTarget(ctx context.Context, t Target) error
	Target(ctx context.Context, id uuid.UUID) (Target, error)
	TargetByName(ctx context.Context, name string) (Target, error)
	// LockTarget reads a target that no other transaction may change until this one ends.
	LockTarget(ctx context.Context, id uuid.UUID) (Target, error)
	Targets(ctx context.Context, after uuid.UUID, limit int) ([]Target, error)
	// UpdateTarget writes the spec of t if its version is still t.Version.
	UpdateTarget(ctx context.Context, t Target) error
	SetTargetState(ctx context.Context, id uuid.UUID, state State, failures int) error
	DeleteTarget(ctx context.Context, id uuid.UUID) error
	// ClaimDueTargets takes due targets and schedules their next probe, so that no two workers probe one.
	ClaimDueTargets(ctx context.Context, now time.Time, limit int) ([]Target, error)

	AddResult(ctx context.Context, r Result) error
	Results(ctx context.Context, target, before uuid.UUID, limit int) ([]Result, error)
	PruneResults(ctx context.Context, before time.Time) (int64, error)

	AddAlert(ctx context.Context, a Alert) error
	Alerts(ctx context.Context, target uuid.UUID, limit int) ([]Alert, error)
	// ClaimDueAlerts takes due alerts and counts the attempt; a worker that dies loses them only until leaseUntil.
	ClaimDueAlerts(ctx context.Context, now, leaseUntil time.Time, limit int) ([]Alert, error)
	SettleAlert(ctx context.Context, a Alert) error
}

// FieldError says what is wrong with one field of a Spec.
type FieldError struct {
	Field   string
	Message string
}

func (e FieldError) Error() string { return e.Field + ": " + e.Message }

// Validate reports everything that is wrong with the spec.
func (s Spec) Validate() error {
	var errs []error
	add := func(field, format string, args ...any) {
		errs = append(errs, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	if !validName(s.Name) {
		add("name", "must be 1 to %d printable characters, without spaces around", MaxNameLength)
	}
	if err := validURL(s.URL); err != nil {
		add("url", "%v", err)
	}
	if s.WebhookURL != "" {
		if err := validURL(s.WebhookURL); err != nil {
			add("webhook_url", "%v", err)
		}
	}
	if s.Interval < MinInterval || s.Interval > MaxInterval {
		add("interval", "must be %v to %v", MinInterval, MaxInterval)
	}
	if s.Timeout < MinTimeout || s.Timeout > MaxTimeout || s.Timeout > s.Interval {
		add("timeout", "must be %v to %v and not longer than the interval", MinTimeout, MaxTimeout)
	}
	if s.ExpectedStatus < 0 || s.ExpectedStatus > 599 {
		add("expected_status", "must be a status code up to 599, or 0 for any 2xx")
	}
	if s.FailureThreshold < 1 || s.FailureThreshold > MaxThreshold {
		add("failure_threshold", "must be 1 to %d", MaxThreshold)
	}
	return errors.Join(errs...)
}

func validName(name string) bool {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxNameLength || name == "" {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return name[0] != ' ' && name[len(name)-1] != ' '
}

// foreignToURIs tells what RFC 3986 has no place for, and Go takes nevertheless.
func foreignToURIs(r rune) bool {
	letterOrDigit := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !letterOrDigit && !strings.ContainsRune("-._~:/?#[]@!$&'()*+,;=%", r)
}

func validURL(raw string) error {
	if len(raw) > MaxURLLength {
		return fmt.Errorf("must be at most %d bytes", MaxURLLength)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || strings.ContainsFunc(raw, foreignToURIs):
		return errors.New("must be a URL, anything beyond ASCII in its encoded form")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("must start with http:// or https://")
	case u.Hostname() == "":
		return errors.New("must name a host")
	case u.User != nil:
		return errors.New("must not carry credentials")
	}
	return nil
}

// EventType is what an alert is about.
type EventType string

// The events that raise an alert.
const (
	EventNone      EventType = ""
	EventDown      EventType = "target.down"
	EventRecovered EventType = "target.recovered"
)

// After is the target's state once r is known, and the event that the change makes.
func (t Target) After(r Result) (state State, failures int, event EventType) {
	if r.Healthy {
		if t.State == StateDown {
			event = EventRecovered
		}
		return StateUp, 0, event
	}
	failures = min(t.Failures+1, MaxThreshold)
	if t.State == StateDown {
		return StateDown, failures, EventNone
	}
	if failures >= t.FailureThreshold {
		return StateDown, failures, EventDown
	}
	return t.State, failures, EventNone
}

// newID is ordered by time, which keyset pagination relies on.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// timestamp is what every engine can store without loss.
func timestamp() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
