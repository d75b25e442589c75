package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Probe looks at a target once; whatever goes wrong is part of the result.
type Probe func(ctx context.Context, t Target) Result

// maxProbeBody bounds what is read of an answer so that its connection can be used again.
const maxProbeBody = 64 << 10

// HTTPProbe probes with GET requests and does not follow redirects.
func HTTPProbe(transport http.RoundTripper) Probe {
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context, t Target) Result {
		ctx, cancel := context.WithTimeout(ctx, t.Timeout)
		defer cancel()
		r := Result{CheckedAt: timestamp()}
		start := time.Now()
		status, err := get(ctx, client, t.URL)
		r.Latency = time.Since(start).Truncate(time.Microsecond)
		r.StatusCode = status
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			r.Failure = fmt.Sprintf("no answer within %v", t.Timeout)
		case err != nil:
			r.Failure = truncate(err.Error(), 500)
		case !t.healthy(status):
			r.Failure = fmt.Sprintf("unexpected status %d", status)
		default:
			r.Healthy = true
		}
		return r
	}
}

func get(ctx context.Context, client *http.Client, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxProbeBody))
	return resp.StatusCode, err
}

const userAgent = "uptime-monitor/1"

func (s Spec) healthy(status int) bool {
	if s.ExpectedStatus == 0 {
		return status >= 200 && status < 300
	}
	return status == s.ExpectedStatus
}

func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
