package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Service is what the API and the command line can do with targets.
type Service struct {
	store  Store
	probe  Probe
	hub    *Hub
	signed bool
}

// NewService makes a service; signed says that alerts can be signed, without which no webhook is accepted.
func NewService(store Store, probe Probe, hub *Hub, signed bool) *Service {
	return &Service{store: store, probe: probe, hub: hub, signed: signed}
}

// Create adds a target, due at once.
func (s *Service) Create(ctx context.Context, spec Spec) (Target, error) {
	if err := s.validate(spec); err != nil {
		return Target{}, err
	}
	now := timestamp()
	t := Target{
		ID: newID(), Spec: spec, State: StateUnknown,
		NextCheckAt: now, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	return t, s.store.CreateTarget(ctx, t)
}

// Get returns one target.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Target, error) {
	return s.store.Target(ctx, id)
}

// ByName returns one target.
func (s *Service) ByName(ctx context.Context, name string) (Target, error) {
	return s.store.TargetByName(ctx, name)
}

// List returns up to limit targets after the given one, oldest first.
func (s *Service) List(ctx context.Context, after uuid.UUID, limit int) ([]Target, error) {
	return s.store.Targets(ctx, after, limit)
}

// Update replaces the spec of the target if its version is still the given one.
func (s *Service) Update(ctx context.Context, id uuid.UUID, version int64, spec Spec) (Target, error) {
	if err := s.validate(spec); err != nil {
		return Target{}, err
	}
	var updated Target
	err := s.store.InTx(ctx, func(tx Store) error {
		t, err := tx.LockTarget(ctx, id)
		if err != nil {
			return err
		}
		if t.Version != version {
			return ErrStale
		}
		t.Spec, t.UpdatedAt = spec, timestamp()
		t.NextCheckAt = t.UpdatedAt
		if err := tx.UpdateTarget(ctx, t); err != nil {
			return err
		}
		updated, err = tx.Target(ctx, id)
		return err
	})
	return updated, err
}

// Delete removes a target with its results and alerts.
func (s *Service) Delete(ctx context.Context, id uuid.UUID) error {
	return s.store.DeleteTarget(ctx, id)
}

// Results returns up to limit results older than the given one, newest first.
func (s *Service) Results(ctx context.Context, id, before uuid.UUID, limit int) ([]Result, error) {
	if _, err := s.store.Target(ctx, id); err != nil {
		return nil, err
	}
	return s.store.Results(ctx, id, before, limit)
}

// Alerts returns the newest alerts of a target.
func (s *Service) Alerts(ctx context.Context, id uuid.UUID, limit int) ([]Alert, error) {
	if _, err := s.store.Target(ctx, id); err != nil {
		return nil, err
	}
	return s.store.Alerts(ctx, id, limit)
}

// Check probes a target now.
func (s *Service) Check(ctx context.Context, id uuid.UUID) (Result, error) {
	t, err := s.store.Target(ctx, id)
	if err != nil {
		return Result{}, err
	}
	return s.check(ctx, t)
}

// check probes t and records the result, the new state and the alert in one transaction.
func (s *Service) check(ctx context.Context, t Target) (Result, error) {
	r := s.probe(ctx, t)
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	r.ID, r.TargetID = newID(), t.ID
	var state State
	err := s.store.InTx(ctx, func(tx Store) error {
		current, err := tx.LockTarget(ctx, t.ID)
		if err != nil {
			return err
		}
		var failures int
		var event EventType
		state, failures, event = current.After(r)
		if err := tx.AddResult(ctx, r); err != nil {
			return err
		}
		if err := tx.SetTargetState(ctx, t.ID, state, failures); err != nil {
			return err
		}
		if event == EventNone || current.WebhookURL == "" {
			return nil
		}
		alert, err := newAlert(current, r, event)
		if err != nil {
			return err
		}
		return tx.AddAlert(ctx, alert)
	})
	if err != nil {
		return Result{}, err
	}
	s.hub.Publish(CheckEvent{
		TargetID: t.ID.String(), Name: t.Name, State: state, Healthy: r.Healthy, StatusCode: r.StatusCode,
		LatencyMS: milliseconds(r.Latency), Failure: r.Failure, CheckedAt: r.CheckedAt,
	})
	return r, nil
}

func (s *Service) validate(spec Spec) error {
	err := spec.Validate()
	if spec.WebhookURL != "" && !s.signed {
		err = errors.Join(err, FieldError{Field: "webhook_url", Message: "needs WEBHOOK_SECRET to be configured, as alerts are always signed"})
	}
	return err
}

func newAlert(t Target, r Result, event EventType) (Alert, error) {
	id, now := newID(), timestamp()
	payload, err := json.Marshal(map[string]any{
		"type":      event,
		"timestamp": r.CheckedAt,
		"data": map[string]any{
			"target_id": t.ID, "name": t.Name, "url": t.URL,
			"status_code": r.StatusCode, "failure": r.Failure,
		},
	})
	if err != nil {
		return Alert{}, fmt.Errorf("encode alert: %w", err)
	}
	return Alert{
		ID: id, TargetID: t.ID, WebhookURL: t.WebhookURL, Payload: string(payload),
		NextAttemptAt: &now, CreatedAt: now,
	}, nil
}
