package httpx

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
)

// NewGroup is where a feature registers its routes: under /v1, with the answers that all of them can give.
func NewGroup(api huma.API, tag string) *huma.Group {
	group := huma.NewGroup(api, "/v1")
	group.UseSimpleModifier(func(op *huma.Operation) {
		op.Tags = []string{tag}
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable)
	})
	return group
}

// Body is a request or an answer that has nothing but a body.
type Body[T any] struct{ Body T }

// NewBody makes an answer.
func NewBody[T any](body T) *Body[T] { return &Body[T]{body} }

// Created is the answer that tells where a new thing is.
type Created[T any] struct {
	Location string `header:"Location"`
	Body     T
}

// NewCreated makes an answer.
func NewCreated[T any](location string, body T) *Created[T] { return &Created[T]{location, body} }

// ByID names one thing in the path.
type ByID struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

// PageQuery asks for one page of a list.
type PageQuery struct {
	Cursor string `query:"cursor" pattern:"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$" doc:"The next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

// Position is the id that the page begins behind; first is the one of the first page.
func (q PageQuery) Position(first uuid.UUID) (uuid.UUID, error) {
	if q.Cursor == "" {
		return first, nil
	}
	id, err := uuid.Parse(q.Cursor)
	if err != nil {
		return id, huma.Error422UnprocessableEntity("validation failed",
			&huma.ErrorDetail{Location: "query.cursor", Message: "must be the next of a page", Value: q.Cursor})
	}
	return id, nil
}

// Page is one page of a list; Next is the cursor of the page after it, absent on the last one.
type Page[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty"`
}

// NewPage turns limit+1 rows into one page; the row too many says that there is another page.
func NewPage[T, V any](rows []T, limit int, view func(T) V, id func(T) uuid.UUID) *Body[Page[V]] {
	p := Page[V]{Items: make([]V, 0, len(rows))}
	if len(rows) > limit {
		rows = rows[:limit]
		p.Next = id(rows[limit-1]).String()
	}
	for _, row := range rows {
		p.Items = append(p.Items, view(row))
	}
	return NewBody(p)
}
