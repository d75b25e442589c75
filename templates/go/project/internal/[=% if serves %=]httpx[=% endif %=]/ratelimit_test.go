package httpx

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

func TestAnIPv6ClientOwnsItsNetwork(t *testing.T) {
	t.Parallel()
	limit := RateLimit(0.001, 1, nil, never)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, step := range []struct {
		remote string
		status int
	}{
		{"[2001:db8:1:2::1]:1000", http.StatusOK},
		{"[2001:db8:1:2:ffff::2]:1000", http.StatusTooManyRequests},
		{"[2001:db8:1:3::1]:1000", http.StatusOK},
		{"192.0.2.1:1000", http.StatusOK},
		{"192.0.2.1:2000", http.StatusTooManyRequests},
		{"192.0.2.2:1000", http.StatusOK},
		{"[::ffff:192.0.2.2]:1000", http.StatusTooManyRequests},
	} {
		got := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		req.RemoteAddr = step.remote
		limit.ServeHTTP(got, req)
		if got.Code != step.status {
			t.Errorf("%s: answered %d, want %d", step.remote, got.Code, step.status)
		}
	}
}

func TestAClientIsWhoeverTheTrustedProxiesName(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, step := range map[string]struct {
		remote    string
		forwarded []string
		want      string
	}{
		"nobody in between":       {"203.0.113.7:1000", nil, "203.0.113.7"},
		"a proxy that is a guest": {"203.0.113.7:1000", []string{"198.51.100.9"}, "203.0.113.7"},
		"a proxy without a word":  {"10.0.0.1:1000", nil, "10.0.0.1"},
		"one proxy":               {"10.0.0.1:1000", []string{"203.0.113.7"}, "203.0.113.7"},
		"two proxies":             {"10.0.0.1:1000", []string{"203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		"two headers":             {"10.0.0.1:1000", []string{"203.0.113.7", "10.0.0.2"}, "203.0.113.7"},
		"a client that lies":      {"10.0.0.1:1000", []string{"198.51.100.9, 203.0.113.7"}, "203.0.113.7"},
		"IPv4 in IPv6":            {"[::ffff:10.0.0.1]:1000", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		"no address":              {"10.0.0.1:1000", []string{"203.0.113.7, unknown"}, "10.0.0.1"},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		req.RemoteAddr, req.Header["X-Forwarded-For"] = step.remote, step.forwarded
		if got := clientAddr(req, trusted).String(); got != step.want {
			t.Errorf("%s: got %s, want %s", name, got, step.want)
		}
	}
}

func TestClientsCannotMakeTheLimiterGrowWithoutEnd(t *testing.T) {
	t.Parallel()
	now := time.Now()
	clients := &clientLimiters{limit: rate.Limit(1), burst: 1, current: map[netip.Addr]*rate.Limiter{}, turned: now}
	first := netip.MustParseAddr("10.0.0.0")
	greedy := clients.get(first, now)
	client := first
	for range maxClients + 10 {
		client = client.Next()
		clients.get(client, now)
		if len(clients.current) > maxClients {
			t.Fatalf("%d clients are remembered at once", len(clients.current))
		}
	}
	if clients.get(first, now) != greedy {
		t.Error("a client got a new budget because others came")
	}
}

func TestWhatIsRefusedCostsTheClientNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := RateLimit(0.5, 1, nil, never)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		send := func() (status int, retryAfter string) {
			got := httptest.NewRecorder()
			limit.ServeHTTP(got, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
			return got.Code, got.Header().Get("Retry-After")
		}
		send()
		for range 10 {
			if status, wait := send(); status != http.StatusTooManyRequests || wait != "2" {
				t.Fatalf("answered %d, to be tried again after %q seconds", status, wait)
			}
		}
		time.Sleep(2 * time.Second)
		if status, _ := send(); status != http.StatusOK {
			t.Errorf("answered %d after the time that it was told to wait", status)
		}
	})
}

func TestAClientIsForgottenWhenItsBudgetIsFullAgainAndNoSooner(t *testing.T) {
	t.Parallel()
	now := time.Now()
	clients := &clientLimiters{limit: rate.Every(time.Hour), burst: 2, current: map[netip.Addr]*rate.Limiter{}, turned: now}
	client, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	known := clients.get(client, now)
	for _, passed := range []time.Duration{20 * time.Minute, 40 * time.Minute, time.Hour} {
		clients.get(other, now.Add(passed))
	}
	if clients.get(client, now.Add(time.Hour)) != known {
		t.Error("a client got a new budget before its own was full again")
	}
	for _, passed := range []time.Duration{4 * time.Hour, 7 * time.Hour} {
		clients.get(other, now.Add(passed))
	}
	if clients.get(client, now.Add(7*time.Hour)) == known {
		t.Error("a client that has been idle for longer than its budget needs is still remembered")
	}
}
