// Package httpx holds what every HTTP route of the service shares.
package httpx

import (
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// WriteProblem answers with an RFC 9457 problem.
func WriteProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(&huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail})
}

// Unmatched answers requests that no route takes with problems instead of plain text.
func Unmatched(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answer := statusOnly{header: w.Header()}
		handler.ServeHTTP(&answer, r)
		w.Header().Del("Content-Type")
		w.Header().Del("X-Content-Type-Options")
		switch answer.status {
		case http.StatusMethodNotAllowed:
			WriteProblem(w, answer.status, "allowed here: "+w.Header().Get("Allow"))
		default:
			WriteProblem(w, answer.status, "there is nothing at this path")
		}
	})
}

// statusOnly takes a handler's status and headers and drops its body.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
