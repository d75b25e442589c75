package monitor

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"
	"github.com/google/uuid"
)

// TargetSpec is the part of a target that a client sends.
type TargetSpec struct {
	Name             string `json:"name" minLength:"1" maxLength:"100" doc:"Unique among all targets" example:"shop"`
	URL              string `json:"url" format:"uri" maxLength:"2048" doc:"Probed with GET" example:"https://example.com/livez"`
	IntervalSeconds  int    `json:"interval_seconds,omitempty" minimum:"5" maximum:"86400" default:"60"`
	TimeoutMS        int    `json:"timeout_ms,omitempty" minimum:"100" maximum:"60000" default:"5000" doc:"Not longer than the interval"`
	ExpectedStatus   int    `json:"expected_status,omitempty" minimum:"0" maximum:"599" default:"0" doc:"The one healthy status code; 0 takes every 2xx"`
	FailureThreshold int    `json:"failure_threshold,omitempty" minimum:"1" maximum:"100" default:"2" doc:"Failures in a row that make the target down"`
	WebhookURL       string `json:"webhook_url,omitempty" maxLength:"2048" doc:"Receives the target's alerts, signed"`
	Enabled          *bool  `json:"enabled,omitempty" default:"true" doc:"False keeps the target without probing it"`
}

// TargetUpdate replaces a target's spec, if nobody else was faster.
type TargetUpdate struct {
	TargetSpec
	Version int64 `json:"version" minimum:"1" doc:"The version that was read; a newer one answers 409"`
}

// TargetView is a target as a client sees it.
type TargetView struct {
	ID               uuid.UUID `json:"id" format:"uuid"`
	Name             string    `json:"name"`
	URL              string    `json:"url" format:"uri"`
	IntervalSeconds  int       `json:"interval_seconds"`
	TimeoutMS        int       `json:"timeout_ms"`
	ExpectedStatus   int       `json:"expected_status"`
	FailureThreshold int       `json:"failure_threshold"`
	WebhookURL       string    `json:"webhook_url"`
	Enabled          bool      `json:"enabled"`
	State            State     `json:"state" enum:"unknown,up,down"`
	Failures         int       `json:"failures"`
	Version          int64     `json:"version"`
	CreatedAt        time.Time `json:"created_at"`
	UpdatedAt        time.Time `json:"updated_at"`
}

// ResultView is a probe's outcome as a client sees it.
type ResultView struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	CheckedAt  time.Time `json:"checked_at"`
	Healthy    bool      `json:"healthy"`
	StatusCode int       `json:"status_code" doc:"0 when there was no answer"`
	LatencyMS  float64   `json:"latency_ms"`
	Failure    string    `json:"failure"`
}

// AlertView is an alert as a client sees it.
type AlertView struct {
	ID          uuid.UUID  `json:"id" format:"uuid"`
	Payload     string     `json:"payload"`
	Attempts    int        `json:"attempts"`
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
	LastError   string     `json:"last_error"`
	CreatedAt   time.Time  `json:"created_at"`
}

// Page is one page of a list; Next is the cursor of the page after it, absent on the last one.
type Page[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty"`
}

type heartbeat struct{}

// ByID names a target in the path. It is exported, as huma fills no embedded struct that is not.
type ByID struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

// PageQuery asks for one page of a list.
type PageQuery struct {
	Cursor string `query:"cursor" format:"uuid" doc:"The next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

type reply[T any] struct{ Body T }

type created struct {
	Location string `header:"Location"`
	Body     TargetView
}

// heartbeatInterval keeps proxies from closing a quiet stream.
const heartbeatInterval = 15 * time.Second

// Register adds the feature's routes.
func Register(api huma.API, s *Service) {
	h := handlers{s}
	group := huma.NewGroup(api, "/v1")
	group.UseSimpleModifier(func(op *huma.Operation) {
		op.Tags = []string{"monitor"}
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable)
	})
	huma.Register(group, huma.Operation{
		OperationID: "create-target", Method: http.MethodPost, Path: "/targets", Summary: "Create a target",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusConflict},
	}, h.create)
	huma.Register(group, huma.Operation{
		OperationID: "list-targets", Method: http.MethodGet, Path: "/targets", Summary: "List targets, oldest first",
	}, h.list)
	huma.Register(group, huma.Operation{
		OperationID: "get-target", Method: http.MethodGet, Path: "/targets/{id}", Summary: "Get a target",
		Errors: []int{http.StatusNotFound},
	}, h.get)
	huma.Register(group, huma.Operation{
		OperationID: "update-target", Method: http.MethodPut, Path: "/targets/{id}", Summary: "Replace a target",
		Errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType},
	}, h.update)
	huma.Register(group, huma.Operation{
		OperationID: "delete-target", Method: http.MethodDelete, Path: "/targets/{id}", Summary: "Delete a target with its results",
		DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusNotFound},
	}, h.remove)
	huma.Register(group, huma.Operation{
		OperationID: "check-target", Method: http.MethodPost, Path: "/targets/{id}/check", Summary: "Probe a target now",
		Errors: []int{http.StatusNotFound}, Metadata: map[string]any{"slow": true},
	}, h.check)
	huma.Register(group, huma.Operation{
		OperationID: "list-results", Method: http.MethodGet, Path: "/targets/{id}/results", Summary: "List results, newest first",
		Errors: []int{http.StatusNotFound},
	}, h.results)
	huma.Register(group, huma.Operation{
		OperationID: "list-alerts", Method: http.MethodGet, Path: "/targets/{id}/alerts", Summary: "List the newest alerts",
		Errors: []int{http.StatusNotFound},
	}, h.alerts)
	sse.Register(group, huma.Operation{
		OperationID: "stream-events", Method: http.MethodGet, Path: "/events", Summary: "Follow results as they come",
		Description: "Server-sent events of this process. A client that falls behind is disconnected and reconnects.",
		Metadata:    map[string]any{"slow": true},
	}, map[string]any{"check": CheckEvent{}, "heartbeat": heartbeat{}}, h.stream)
}

type handlers struct{ s *Service }

func (h handlers) create(ctx context.Context, in *reply[TargetSpec]) (*created, error) {
	t, err := h.s.Create(ctx, in.Body.spec())
	if err != nil {
		return nil, problem(err)
	}
	return &created{Location: "/v1/targets/" + t.ID.String(), Body: viewTarget(t)}, nil
}

func (h handlers) list(ctx context.Context, in *PageQuery) (*reply[Page[TargetView]], error) {
	after, err := cursor(in.Cursor, uuid.Nil)
	if err != nil {
		return nil, err
	}
	targets, err := h.s.List(ctx, after, in.Limit+1)
	if err != nil {
		return nil, problem(err)
	}
	return page(targets, in.Limit, viewTarget, func(t Target) uuid.UUID { return t.ID }), nil
}

func (h handlers) get(ctx context.Context, in *ByID) (*reply[TargetView], error) {
	t, err := h.s.Get(ctx, in.ID)
	if err != nil {
		return nil, problem(err)
	}
	return &reply[TargetView]{viewTarget(t)}, nil
}

func (h handlers) update(ctx context.Context, in *struct {
	ByID
	Body TargetUpdate
},
) (*reply[TargetView], error) {
	t, err := h.s.Update(ctx, in.ID, in.Body.Version, in.Body.spec())
	if err != nil {
		return nil, problem(err)
	}
	return &reply[TargetView]{viewTarget(t)}, nil
}

func (h handlers) remove(ctx context.Context, in *ByID) (*struct{}, error) {
	return nil, problem(h.s.Delete(ctx, in.ID))
}

func (h handlers) check(ctx context.Context, in *ByID) (*reply[ResultView], error) {
	r, err := h.s.Check(ctx, in.ID)
	if err != nil {
		return nil, problem(err)
	}
	return &reply[ResultView]{viewResult(r)}, nil
}

func (h handlers) results(ctx context.Context, in *struct {
	ByID
	PageQuery
},
) (*reply[Page[ResultView]], error) {
	before, err := cursor(in.Cursor, uuid.Max)
	if err != nil {
		return nil, err
	}
	results, err := h.s.Results(ctx, in.ID, before, in.Limit+1)
	if err != nil {
		return nil, problem(err)
	}
	return page(results, in.Limit, viewResult, func(r Result) uuid.UUID { return r.ID }), nil
}

func (h handlers) alerts(ctx context.Context, in *ByID) (*reply[Page[AlertView]], error) {
	alerts, err := h.s.Alerts(ctx, in.ID, MaxPageSize)
	if err != nil {
		return nil, problem(err)
	}
	return page(alerts, MaxPageSize, viewAlert, func(a Alert) uuid.UUID { return a.ID }), nil
}

func (h handlers) stream(ctx context.Context, _ *struct{}, send sse.Sender) {
	events, cancel, ok := h.s.hub.Subscribe()
	if !ok {
		return
	}
	defer cancel()
	beat := time.NewTicker(heartbeatInterval)
	defer beat.Stop()
	if send.Data(heartbeat{}) != nil {
		return
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case e, open := <-events:
			if !open {
				return
			}
			err = send.Data(e)
		case <-beat.C:
			err = send.Data(heartbeat{})
		}
		if err != nil {
			return
		}
	}
}

func (s TargetSpec) spec() Spec {
	return Spec{
		Name: s.Name, URL: s.URL,
		Interval: time.Duration(s.IntervalSeconds) * time.Second, Timeout: time.Duration(s.TimeoutMS) * time.Millisecond,
		ExpectedStatus: s.ExpectedStatus, FailureThreshold: s.FailureThreshold, WebhookURL: s.WebhookURL,
		Enabled: s.Enabled == nil || *s.Enabled,
	}
}

func viewTarget(t Target) TargetView {
	return TargetView{
		ID: t.ID, Name: t.Name, URL: t.URL,
		IntervalSeconds: int(t.Interval / time.Second), TimeoutMS: int(t.Timeout / time.Millisecond),
		ExpectedStatus: t.ExpectedStatus, FailureThreshold: t.FailureThreshold, WebhookURL: t.WebhookURL, Enabled: t.Enabled,
		State: t.State, Failures: t.Failures, Version: t.Version, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
	}
}

func viewResult(r Result) ResultView {
	return ResultView{
		ID: r.ID, CheckedAt: r.CheckedAt, Healthy: r.Healthy, StatusCode: r.StatusCode,
		LatencyMS: milliseconds(r.Latency), Failure: r.Failure,
	}
}

func viewAlert(a Alert) AlertView {
	return AlertView{
		ID: a.ID, Payload: a.Payload, Attempts: a.Attempts,
		DeliveredAt: a.DeliveredAt, LastError: a.LastError, CreatedAt: a.CreatedAt,
	}
}

// page turns limit+1 rows into one page; the row too many says that there is another page.
func page[T, V any](rows []T, limit int, view func(T) V, id func(T) uuid.UUID) *reply[Page[V]] {
	p := Page[V]{Items: make([]V, 0, len(rows))}
	if len(rows) > limit {
		rows = rows[:limit]
		p.Next = id(rows[limit-1]).String()
	}
	for _, row := range rows {
		p.Items = append(p.Items, view(row))
	}
	return &reply[Page[V]]{p}
}

func cursor(raw string, absent uuid.UUID) (uuid.UUID, error) {
	if raw == "" {
		return absent, nil
	}
	id, err := uuid.Parse(raw)
	if err != nil {
		return id, huma.Error422UnprocessableEntity("validation failed", &huma.ErrorDetail{Location: "query.cursor", Message: "must be the next of a page", Value: raw})
	}
	return id, nil
}

// problem gives an expected error its status; any other stays as it is and answers 500.
func problem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, ErrNameTaken), errors.Is(err, ErrStale):
		return huma.Error409Conflict(err.Error())
	case isFieldError(err):
		return huma.Error422UnprocessableEntity("validation failed", details(err)...)
	case errors.Is(err, context.DeadlineExceeded):
		return huma.Error503ServiceUnavailable("the request took too long")
	}
	return err
}

func isFieldError(err error) bool {
	_, ok := errors.AsType[FieldError](err)
	return ok
}

func details(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, details(e)...)
		}
		return all
	}
	if field, ok := errors.AsType[FieldError](err); ok {
		return []error{&huma.ErrorDetail{Location: "body." + field.Field, Message: field.Message}}
	}
	return []error{err}
}
