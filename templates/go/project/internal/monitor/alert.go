package monitor

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxAttempts   = 8
	firstBackoff  = 5 * time.Second
	maxBackoff    = 15 * time.Minute
	alertTimeout  = 10 * time.Second
	alertLease    = 2 * alertTimeout
	alertParallel = 8
)

// Dispatcher delivers alerts at least once: signed, with retries, until they are accepted or given up.
type Dispatcher struct {
	Store  Store
	Client *http.Client
	Secret string
	Log    *slog.Logger
	Tick   time.Duration
}

// Run delivers until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) {
	tick := time.NewTicker(d.Tick)
	defer tick.Stop()
	for {
		if _, err := d.DeliverDue(ctx); err != nil && ctx.Err() == nil {
			d.Log.ErrorContext(ctx, "could not deliver alerts; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// DeliverDue attempts every alert that is due and returns how many there were.
func (d *Dispatcher) DeliverDue(ctx context.Context) (int, error) {
	now := timestamp()
	due, err := d.Store.ClaimDueAlerts(ctx, now, now.Add(alertLease), alertParallel)
	if err != nil {
		return 0, err
	}
	var running sync.WaitGroup
	for _, a := range due {
		running.Go(func() { d.deliver(ctx, a) })
	}
	running.Wait()
	return len(due), nil
}

func (d *Dispatcher) deliver(ctx context.Context, a Alert) {
	settled, _ := d.attempt(ctx, a)
	if ctx.Err() != nil {
		return // the lease runs out and another worker takes over
	}
	if err := d.Store.SettleAlert(ctx, settled); err != nil {
		d.Log.ErrorContext(ctx, "could not settle an alert", "alert", a.ID, "error", err)
	}
}

// attempt posts a once; settled is what the alert is from then on.
func (d *Dispatcher) attempt(ctx context.Context, a Alert) (settled Alert, err error) {
	err = d.post(ctx, a)
	now := timestamp()
	switch {
	case err == nil:
		a.NextAttemptAt, a.DeliveredAt, a.LastError = nil, &now, ""
	case a.Attempts >= maxAttempts:
		a.NextAttemptAt, a.LastError = nil, truncate(err.Error(), 500)
		d.Log.ErrorContext(ctx, "gave an alert up", "alert", a.ID, "target", a.TargetID, "error", err)
	default:
		next := now.Add(backoff(a.Attempts))
		a.NextAttemptAt, a.LastError = &next, truncate(err.Error(), 500)
	}
	return a, err
}

func (d *Dispatcher) post(ctx context.Context, a Alert) error {
	ctx, cancel := context.WithTimeout(ctx, alertTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.WebhookURL, strings.NewReader(a.Payload))
	if err != nil {
		return err
	}
	sentAt := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Webhook-Id", a.ID.String())
	req.Header.Set("Webhook-Timestamp", sentAt)
	req.Header.Set("Webhook-Signature", Sign(d.Secret, a.ID.String(), sentAt, a.Payload))
	resp, err := d.Client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxProbeBody))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("webhook answered with status %d", resp.StatusCode)
	}
	return nil
}

// Sign makes the signature that a receiver recomputes; its form is that of the Standard Webhooks specification.
func Sign(secret, id, timestamp, payload string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(id + "." + timestamp + "." + payload))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// backoff doubles from attempt to attempt, with jitter so that alerts do not come in waves.
func backoff(attempt int) time.Duration {
	wait := longestBackoff(attempt)
	return wait/2 + rand.N(wait/2) //nolint:gosec // jitter needs no secrecy
}

func longestBackoff(attempt int) time.Duration {
	return min(firstBackoff<<min(attempt-1, 16), maxBackoff)
}

// WebhookClient posts through transport and does not follow redirects.
func WebhookClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
