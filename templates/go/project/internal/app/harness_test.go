package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const patience = 15 * time.Second

// running is a whole service on free ports.
type running struct {
	t          *testing.T
	api, admin string
	client     *http.Client
	stop       func() error
	logs       *buffer
}

// start starts a service with its own database; settings are variables as NAME=value.
func start(t *testing.T, settings ...string) *running {
	t.Helper()
	environ := append([]string{
		"PORT=0", "ADMIN_PORT=0", "LOG_LEVEL=debug", "SHUTDOWN_TIMEOUT=10s", "ALLOWED_PRIVATE_CIDRS=127.0.0.0/8",
		"RATE_LIMIT_PER_SECOND=100000", "RATE_LIMIT_BURST=100000", "WEBHOOK_SECRET=" + webhookSecret,
		"DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "test.db"),
	}, settings...)
	logs := new(buffer)
	env := Env{Name: "test", Environ: environ, Stdout: io.Discard, Stderr: logs}
	c, err := env.config()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	listening := make(chan addresses, 1)
	done := make(chan error, 1)
	go func() {
		done <- serve(ctx, env, c, func(a addresses) { listening <- a })
	}()
	transport := &http.Transport{}
	s := &running{t: t, client: &http.Client{Transport: transport, Timeout: patience}, logs: logs}
	s.stop = sync.OnceValue(func() error {
		cancel()
		transport.CloseIdleConnections() // one that was never used would keep the server waiting
		select {
		case err := <-done:
			transport.CloseIdleConnections()
			return err
		case <-time.After(patience):
			return context.DeadlineExceeded
		}
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	select {
	case a := <-listening:
		s.api, s.admin = "http://"+a.api.String(), "http://"+a.admin.String()
	case err := <-done:
		done <- nil
		t.Fatalf("the service did not start: %v", err)
	}
	return s
}

const webhookSecret = "0123456789abcdef0123456789abcdef"

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (s *running) do(method, url, body string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, read}, err
}

// want sends a request, insists on the status and decodes the answer into out, if given.
func (s *running) want(status int, method, path, body string, out any, headers ...string) answer {
	s.t.Helper()
	got, err := s.do(method, s.api+path, body, headers...)
	if err != nil {
		s.t.Fatal(err)
	}
	if got.status != status {
		s.t.Fatalf("%s %s answered %d, want %d: %s", method, path, got.status, status, got.body)
	}
	if status >= 400 && got.header.Get("Content-Type") != "application/problem+json" {
		s.t.Fatalf("%s %s answered a %q", method, path, got.header.Get("Content-Type"))
	}
	if out != nil {
		if err := json.Unmarshal(got.body, out); err != nil {
			s.t.Fatal(err)
		}
	}
	return got
}

type targetJSON struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	State   string `json:"state"`
	Version int64  `json:"version"`
}

// create adds a target that the scheduler leaves alone for a day.
func (s *running) create(name, url, webhook string) targetJSON {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{
		"name": name, "url": url, "interval_seconds": 86400, "failure_threshold": 1, "enabled": false,
		"webhook_url": webhook,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	var created targetJSON
	s.want(http.StatusCreated, http.MethodPost, "/v1/targets", string(body), &created)
	return created
}

// eventually waits until check holds.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if check() {
			return
		}
	}
	t.Fatalf("%s did not happen within %v", what, patience)
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
