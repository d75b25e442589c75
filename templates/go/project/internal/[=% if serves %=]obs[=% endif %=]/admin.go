package obs

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/VictoriaMetrics/metrics"
)

// help says what each metric of ours means; one without a line here has its name alone.
var help = map[string]string{
	"http_request_duration_seconds": "How long requests took, by route and status; streams are not among them.",
	"http_requests_in_flight":       "Requests under way, streams among them.",
	"http_streams_total":            "Streams that have ended, by route and status.",
	"database_connections":          "Connections to the database that are in use.",
	"database_connections_max":      "Connections to the database that there may be.",
	"job_duration_seconds":          "How long jobs took, by kind.",
	"jobs_total":                    "Jobs that were worked, by kind and outcome.",
}

// Collector writes metrics that are read when they are asked for.
type Collector func(ctx context.Context, w io.Writer) error

// AdminMux serves what operators need and nobody else may see.
func AdminMux(log *slog.Logger, set *metrics.Set, health Health, collectors ...Collector) *http.ServeMux {
	metrics.ExposeMetadata(true)
	mux := http.NewServeMux()
	health.Register(mux)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		for _, collect := range collectors {
			var collected bytes.Buffer
			if err := collect(ctx, &collected); err != nil {
				log.WarnContext(ctx, "could not collect metrics", "error", err)
				continue
			}
			_, _ = collected.WriteTo(w)
		}
		var written bytes.Buffer
		set.WritePrometheus(&written)
		metrics.WriteProcessMetrics(&written)
		_, _ = io.WriteString(w, explain(written.String()))
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// explain adds what the metrics mean.
func explain(written string) string {
	for name, text := range help {
		written = strings.Replace(written, "# HELP "+name+"\n", "# HELP "+name+" "+text+"\n", 1)
	}
	return written
}
