// Package httpx holds what every HTTP route of the service shares.
package httpx

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// WriteProblem answers with an RFC 9457 problem.
func WriteProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(&huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail})
}

// methods are those that a path may be known under.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// RegisterUnmatched answers requests that no route takes with problems instead of plain text.
func RegisterUnmatched(mux *http.ServeMux) {
	const everything = "/"
	mux.HandleFunc(everything, func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range methods {
			asked := *r
			asked.Method = method
			if _, pattern := mux.Handler(&asked); pattern != everything {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			WriteProblem(w, http.StatusNotFound, "there is nothing at this path")
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		WriteProblem(w, http.StatusMethodNotAllowed, "allowed here: "+strings.Join(allowed, ", "))
	})
}
