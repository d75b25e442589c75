package app

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestTargetsCanBeManaged(t *testing.T) {
	t.Parallel()
	s := start(t)
	shop := s.create("shop", "https://shop.example.com", "")
	s.want(http.StatusConflict, http.MethodPost, "/v1/targets", `{"name":"shop","url":"https://x.example.com"}`, nil)

	path := "/v1/targets/" + shop.ID
	var updated targetJSON
	s.want(http.StatusOK, http.MethodPut, path, `{"name":"store","url":"https://shop.example.com","version":1}`, &updated)
	if updated.Version != 2 || updated.Name != "store" {
		t.Errorf("updated to %+v", updated)
	}
	s.want(http.StatusConflict, http.MethodPut, path, `{"name":"late","url":"https://shop.example.com","version":1}`, nil)

	s.create("second", "https://second.example.com", "")
	var first, second, third struct {
		Items []targetJSON `json:"items"`
		Next  string       `json:"next"`
	}
	s.want(http.StatusOK, http.MethodGet, "/v1/targets?limit=1", "", &first)
	s.want(http.StatusOK, http.MethodGet, "/v1/targets?limit=1&cursor="+first.Next, "", &second)
	if first.Items[0].Name != "store" || second.Items[0].Name != "second" || second.Next != "" {
		t.Errorf("pages %+v and %+v", first, second)
	}
	s.want(http.StatusNoContent, http.MethodDelete, path, "", nil)
	s.want(http.StatusNotFound, http.MethodGet, path, "", nil)
	s.want(http.StatusNotFound, http.MethodDelete, path, "", nil)
	s.want(http.StatusOK, http.MethodGet, "/v1/targets", "", &third)
	if len(third.Items) != 1 {
		t.Errorf("left: %+v", third)
	}
}

func TestAnOutageRaisesASignedAlertAndSoDoesTheRecovery(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	watched := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer watched.Close()
	var refuse atomic.Bool
	refuse.Store(true)
	received := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(webhookSecret))
		mac.Write([]byte(r.Header.Get("Webhook-Id") + "." + r.Header.Get("Webhook-Timestamp") + "." + string(body)))
		if r.Header.Get("Webhook-Signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			t.Errorf("wrong signature")
		}
		if refuse.CompareAndSwap(true, false) {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		received <- string(body)
	}))
	defer hook.Close()

	s := start(t)
	path := "/v1/targets/" + s.create("shop", watched.URL, hook.URL).ID
	broken.Store(true)
	s.want(http.StatusOK, http.MethodPost, path+"/check", "", nil)
	var down targetJSON
	if s.want(http.StatusOK, http.MethodGet, path, "", &down); down.State != "down" {
		t.Errorf("after the outage: %+v", down)
	}
	var alerts struct {
		Items []struct {
			Attempts  int    `json:"attempts"`
			LastError string `json:"last_error"`
		} `json:"items"`
	}
	eventually(t, "a refused delivery", func() bool {
		s.want(http.StatusOK, http.MethodGet, path+"/alerts", "", &alerts)
		return len(alerts.Items) == 1 && strings.Contains(alerts.Items[0].LastError, "status 502")
	})
	broken.Store(false)
	s.want(http.StatusOK, http.MethodPost, path+"/check", "", nil)
	select {
	case body := <-received:
		if !strings.Contains(body, `"type":"target.recovered"`) {
			t.Errorf("received %s", body)
		}
	case <-time.After(patience):
		t.Fatal("no alert came")
	}
	var results struct {
		Items []struct {
			Healthy bool `json:"healthy"`
		} `json:"items"`
	}
	s.want(http.StatusOK, http.MethodGet, path+"/results", "", &results)
	if len(results.Items) != 2 || !results.Items[0].Healthy || results.Items[1].Healthy {
		t.Errorf("results %+v", results)
	}
}

func TestTheSchedulerProbesDueTargetsAndTheStreamTells(t *testing.T) {
	t.Parallel()
	watched := httptest.NewServer(http.NotFoundHandler())
	defer watched.Close()
	s := start(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	lines.Scan()
	if lines.Text() != "event: heartbeat" {
		t.Fatalf("the stream begins with %q", lines.Text())
	}
	s.want(http.StatusCreated, http.MethodPost, "/v1/targets",
		fmt.Sprintf(`{"name":"shop","url":%q,"failure_threshold":1}`, watched.URL), nil)
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"state":"down"`) {
			if err := s.stop(); err != nil {
				t.Errorf("an open stream kept the service from stopping: %v", err)
			}
			return
		}
	}
	t.Fatalf("the stream ended: %v", lines.Err())
}

func TestDrainLosesNoRequest(t *testing.T) {
	t.Parallel()
	s := start(t, "DRAIN_DELAY=300ms")
	s.create("shop", "https://shop.example.com", "")
	var draining atomic.Bool
	var served, lost atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for !draining.Load() { // a balancer sends on until readiness fails
				got, err := s.do(http.MethodGet, s.api+"/v1/targets", "")
				if err != nil || got.status != http.StatusOK {
					lost.Add(1)
				}
				served.Add(1)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	eventually(t, "readiness failing", func() bool {
		got, err := s.do(http.MethodGet, s.admin+"/readyz", "")
		return err == nil && got.status == http.StatusServiceUnavailable
	})
	if got, err := s.do(http.MethodGet, s.api+"/livez", ""); err != nil || got.status != http.StatusOK {
		t.Errorf("not live while draining: %v, %v", got.status, err)
	}
	draining.Store(true)
	clients.Wait()
	s.client.CloseIdleConnections()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if lost.Load() != 0 || served.Load() < 8 {
		t.Errorf("lost %d of %d requests", lost.Load(), served.Load())
	}
}

func TestARequestUnderWayIsFinishedBeforeTheEnd(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(began)
		time.Sleep(300 * time.Millisecond)
	}))
	defer slow.Close()
	s := start(t)
	path := "/v1/targets/" + s.create("slow", slow.URL, "").ID + "/check"
	answered := make(chan int, 1)
	go func() {
		got, err := s.do(http.MethodPost, s.api+path, "")
		if err != nil {
			t.Error(err)
		}
		answered <- got.status
	}()
	<-began
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if status := <-answered; status != http.StatusOK {
		t.Errorf("answered %d", status)
	}
}

func TestOverloadIsShedAtOnce(t *testing.T) {
	t.Parallel()
	began, release := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(began)
		<-release
	}))
	defer slow.Close()
	s := start(t, "MAX_IN_FLIGHT=1")
	path := "/v1/targets/" + s.create("slow", slow.URL, "").ID + "/check"
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		_, _ = s.do(http.MethodPost, s.api+path, "")
	}()
	<-began
	got := s.want(http.StatusServiceUnavailable, http.MethodGet, "/v1/targets", "", nil)
	if got.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
	s.want(http.StatusOK, http.MethodGet, "/livez", "", nil)
	close(release)
	<-finished
	s.want(http.StatusOK, http.MethodGet, "/v1/targets", "", nil)
}

func TestAGreedyClientIsLimited(t *testing.T) {
	t.Parallel()
	s := start(t, "RATE_LIMIT_PER_SECOND=0.01", "RATE_LIMIT_BURST=2", "TRUSTED_PROXIES=127.0.0.0/8")
	for range 2 {
		s.want(http.StatusOK, http.MethodGet, "/v1/targets", "", nil, "X-Forwarded-For", "192.0.2.1")
	}
	got := s.want(http.StatusTooManyRequests, http.MethodGet, "/v1/targets", "", nil, "X-Forwarded-For", "198.51.100.9, 192.0.2.1")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.want(http.StatusOK, http.MethodGet, "/v1/targets", "", nil, "X-Forwarded-For", "192.0.2.2")
	s.want(http.StatusOK, http.MethodGet, "/readyz", "", nil, "X-Forwarded-For", "192.0.2.1")
}

func TestOperatorsRoutesArePrivate(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.want(http.StatusOK, http.MethodGet, "/v1/targets", "", nil)
	for path, content := range map[string]string{
		"/livez": "ok", "/readyz": "ok", "/debug/pprof/": "goroutine",
		"/metrics": `http_request_duration_seconds_count{route="GET /v1/targets",status="200"} 1`,
	} {
		got, err := s.do(http.MethodGet, s.admin+path, "")
		if err != nil || got.status != http.StatusOK || !strings.Contains(string(got.body), content) {
			t.Errorf("%s answered %d, %v: %.300s", path, got.status, err, got.body)
		}
	}
	s.want(http.StatusNotFound, http.MethodGet, "/metrics", "", nil)
	s.want(http.StatusNotFound, http.MethodGet, "/debug/pprof/", "", nil)
}

func TestTheCommittedOpenAPIDocumentIsCurrent(t *testing.T) {
	t.Parallel()
	committed, err := os.ReadFile(filepath.Join("..", "..", "api", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	current, err := openapi()
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != string(current) {
		t.Error("api/openapi.json is out of date: run make openapi")
	}
}

func TestTracesReachTheCollector(t *testing.T) {
	received := make(chan string, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- r.URL.Path + " " + r.Header.Get("Authorization") + " " + string(body)
	}))
	defer collector.Close()
	s := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_EXPORTER_OTLP_HEADERS=authorization=Basic%20abc")
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	s.want(http.StatusOK, http.MethodGet, "/v1/targets", "", nil, "Traceparent", parent)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	exported := <-received
	for _, want := range []string{
		"/v1/traces Basic abc ", `"traceId":"0af7651916cd43dd8448eb211c80319c"`, `"parentSpanId":"b7ad6b7169203331"`,
		`"name":"GET /v1/targets"`, `{"key":"http.response.status_code","value":{"intValue":"200"}}`,
		`{"key":"service.name","value":{"stringValue":"test"}}`,
	} {
		if !strings.Contains(exported, want) {
			t.Errorf("%s is missing in %s", want, exported)
		}
	}
	if !strings.Contains(s.logs.String(), `"trace_id":"0af7651916cd43dd8448eb211c80319c"`) {
		t.Error("the log lacks the trace id")
	}
}
