// Command bare is net/http with JSON routes and nothing else: what the generated service is compared with.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

type item struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Tags  []string `json:"tags"`
	Price float64  `json:"price"`
}

// target has what the service tells of one, so that both write the same JSON.
type target struct {
	ID                string    `json:"id"`
	Name              string    `json:"name"`
	URL               string    `json:"url"`
	IntervalSeconds   int       `json:"interval_seconds"`
	TimeoutMS         int       `json:"timeout_ms"`
	Method            string    `json:"method"`
	ExpectedStatus    int       `json:"expected_status"`
	ExpectedHeader    string    `json:"expected_header"`
	ExpectedBody      string    `json:"expected_body"`
	FailureThreshold  int       `json:"failure_threshold"`
	RecoveryThreshold int       `json:"recovery_threshold"`
	WebhookURL        string    `json:"webhook_url"`
	Enabled           bool      `json:"enabled"`
	State             string    `json:"state"`
	Failures          int       `json:"failures"`
	Successes         int       `json:"successes"`
	Version           int64     `json:"version"`
	CreatedAt         time.Time `json:"created_at"`
	UpdatedAt         time.Time `json:"updated_at"`
}

func main() {
	list := struct {
		Items []item `json:"items"`
	}{}
	for i := range 20 {
		list.Items = append(list.Items, item{i, fmt.Sprintf("item %d", i), []string{"a", "b"}, float64(i) * 1.25})
	}
	targets := struct {
		Items []target `json:"items"`
	}{}
	for i := range 20 {
		now := time.Now().UTC().Truncate(time.Microsecond)
		targets.Items = append(targets.Items, target{
			ID: fmt.Sprintf("019a0000-0000-7000-8000-%012d", i), Name: fmt.Sprintf("target %d", i), URL: "https://example.com",
			IntervalSeconds: 60, TimeoutMS: 5000, Method: "GET", FailureThreshold: 2, RecoveryThreshold: 1,
			State: "unknown", Version: 1, CreatedAt: now, UpdatedAt: now,
		})
	}
	answer := func(path string, value any) {
		http.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(value)
		})
	}
	answer("/livez", map[string]string{"status": "ok"})
	answer("/claims/json", list)
	answer("/v1/targets", targets)
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
