// Package webhook signs and posts messages after the Standard Webhooks specification, https://www.standardwebhooks.com.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	prefix = "whsec_"
	// Lengths of a key in bytes, as the specification has them, and of a secret that is a text.
	minKey, maxKey, minText = 24, 64, 32
	maxAnswer               = 64 << 10
)

// Secrets are the keys that sign; while one follows another, both do.
type Secrets [][]byte

// ParseSecrets reads secrets that are separated by commas. One that begins with whsec_ is a key in base64, as every library
// expects it. Any other signs with its text as it stands, as all did before release 0.7.0.
func ParseSecrets(raw string) (Secrets, error) {
	var secrets Secrets
	for secret := range strings.SplitSeq(raw, ",") {
		secret = strings.TrimSpace(secret)
		encoded, standard := strings.CutPrefix(secret, prefix)
		key := []byte(secret)
		if standard {
			var err error
			if key, err = base64.StdEncoding.DecodeString(encoded); err != nil || len(key) < minKey || len(key) > maxKey {
				return nil, fmt.Errorf("must have %d to %d bytes in base64 after %s", minKey, maxKey, prefix)
			}
		}
		if !standard && len(key) < minText {
			return nil, fmt.Errorf("must be %s and a key in base64, or at least %d characters long", prefix, minText)
		}
		secrets = append(secrets, key)
	}
	return secrets, nil
}

// Sign makes the header that a receiver recomputes, with one signature for each secret.
func (s Secrets) Sign(id, timestamp, payload string) string {
	signatures := make([]string, len(s))
	for i, key := range s {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + "." + payload))
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " ")
}

// ErrGone is a receiver's wish never to be asked again.
var ErrGone = errors.New("webhook answered with status 410, so it gets no more messages")

// RefusedError is any other answer that is no success.
type RefusedError struct {
	Status int
	// RetryAfter is how long the receiver wants to be left alone; 0 if it does not say.
	RetryAfter time.Duration
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("webhook answered with status %d", e.Status)
}

// Client posts through transport and does not follow redirects.
func Client(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Post sends payload once.
func (s Secrets) Post(ctx context.Context, client *http.Client, url, id, payload string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(payload))
	if err != nil {
		return err
	}
	sentAt := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "uptime-monitor/1")
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", sentAt)
	req.Header.Set("Webhook-Signature", s.Sign(id, sentAt, payload))
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode <= 299:
		return nil
	case resp.StatusCode == http.StatusGone:
		return ErrGone
	}
	return &RefusedError{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"))}
}

// retryAfter reads seconds or a date.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
