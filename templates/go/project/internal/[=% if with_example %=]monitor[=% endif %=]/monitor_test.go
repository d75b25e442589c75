package monitor

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func goodSpec() Spec {
	return Spec{
		Name: "shop", URL: "https://example.com", Interval: time.Minute, Timeout: time.Second,
		FailureThreshold: 1, RecoveryThreshold: 1,
	}
}

func TestValidateReportsEveryField(t *testing.T) {
	t.Parallel()
	if err := goodSpec().Validate(); err != nil {
		t.Fatal(err)
	}
	err := Spec{Name: " ", URL: "ftp://x", WebhookURL: "x", ExpectedStatus: 1000}.Validate()
	for _, field := range []string{"name", "url", "webhook_url", "interval", "timeout", "expected_status", "failure_threshold"} {
		if err == nil || !strings.Contains(err.Error(), field+": must") {
			t.Errorf("%s is not reported in %v", field, err)
		}
	}
}

func TestURLsAreOfTheFormThatTheAPIPromises(t *testing.T) {
	t.Parallel()
	for raw, good := range map[string]bool{
		"https://example.com/a%20b?c=d&e#f": true, "http://[::1]:8080/": true, "https://xn--mnchen-3ya.de": true,
		"https://example.com:65535": true, "https://example.com:0": false, "https://example.com:99999": false, "https://example.com:": true,
		"tcp://example.com:5432": true, "tcp://[::1]:5432": true, "tcp://example.com": false, "tcp://example.com:5432/x": false,
		"tcp://example.com:": false, "udp://example.com:53": false,
		"https://\u00cf": false, "https://example.com/a|b": false, "https://example.com/ü": false, "https://example.com/<x>": false,
	} {
		spec := goodSpec()
		spec.URL = raw
		if err := spec.Validate(); (err == nil) != good {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestAfterRaisesOneEventPerChange(t *testing.T) {
	t.Parallel()
	target := Target{Spec: goodSpec(), State: StateUnknown}
	target.FailureThreshold = 2
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, step := range []struct {
		later   time.Duration
		healthy bool
		state   State
		event   EventType
	}{
		{time.Minute, true, StateUp, ""},
		{time.Minute, false, StateUp, ""},
		{time.Minute, true, StateUp, ""},
		{time.Minute, false, StateUp, ""},
		{time.Second, false, StateUp, ""}, // by hand, of the same failure
		{time.Second, false, StateUp, ""},
		{57 * time.Second, false, StateDown, EventDown},
		{time.Minute, false, StateDown, ""},
		{time.Second, true, StateUp, EventRecovered},
		{time.Second, false, StateUp, ""},
	} {
		at = at.Add(step.later)
		var events []EventType
		target, events = target.After(Result{Healthy: step.healthy, CheckedAt: at})
		var want []EventType
		if step.event != "" {
			want = []EventType{step.event}
		}
		if target.State != step.state || !slices.Equal(events, want) {
			t.Errorf("step %d: %s and %q, want %s and %q", i, target.State, events, step.state, want)
		}
	}
}

func TestATargetIsUpAgainAfterAsManyHealthyProbesAsItAsksFor(t *testing.T) {
	t.Parallel()
	target := Target{Spec: goodSpec(), State: StateDown}
	target.RecoveryThreshold = 3
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, step := range []struct {
		later   time.Duration
		healthy bool
		state   State
		counted int
	}{
		{time.Minute, true, StateDown, 1},
		{time.Minute, true, StateDown, 2},
		{time.Minute, false, StateDown, 0},
		{time.Minute, true, StateDown, 1},
		{time.Second, true, StateDown, 1}, // by hand, beside the last one
		{time.Second, true, StateDown, 1},
		{58 * time.Second, true, StateDown, 2},
		{time.Minute, true, StateUp, 0},
		{time.Minute, true, StateUp, 0},
	} {
		at = at.Add(step.later)
		before := target.State
		var events []EventType
		target, events = target.After(Result{Healthy: step.healthy, CheckedAt: at})
		if recovered := slices.Contains(events, EventRecovered); recovered != (before == StateDown && step.state == StateUp) {
			t.Errorf("step %d: %q", i, events)
		}
		if target.State != step.state || target.Successes != step.counted {
			t.Errorf("step %d: %s after %d, want %s after %d", i, target.State, target.Successes, step.state, step.counted)
		}
	}
	counted, _ := Target{Spec: target.Spec, State: StateDown}.After(Result{Healthy: true, CheckedAt: at})
	if after := counted.AfterPlannedWork(); counted.Successes != 1 || after.Successes != 0 || after.SucceededAt != nil {
		t.Errorf("%d probes count after planned work", after.Successes)
	}
}

func TestConditionsAreOfTheirForm(t *testing.T) {
	t.Parallel()
	for wrong, change := range map[string]func(*Spec){
		"":                    func(s *Spec) { s.Method, s.ExpectedHeader, s.ExpectedBody = "POST", "X-Ready: yes", "naïve" },
		"method":              func(s *Spec) { s.Method = "DELETE" },
		"expected_header":     func(s *Spec) { s.ExpectedHeader = "no colon" },
		"expected_body":       func(s *Spec) { s.ExpectedBody = "a\x00b" },
		"recovery_threshold":  func(s *Spec) { s.RecoveryThreshold = 0 },
		"expected_body: HEAD": func(s *Spec) { s.Method, s.ExpectedBody = "HEAD", "ready" },
		"expected_header: too long": func(s *Spec) {
			s.ExpectedHeader = "A: " + strings.Repeat("b", MaxHeaderLength)
		},
		"expected_body: too long": func(s *Spec) { s.ExpectedBody = strings.Repeat("b", MaxBodyLength+1) },
		"method: of TCP":          func(s *Spec) { s.URL, s.Method = "tcp://db:5432", "POST" },
		"expected_status: of TCP": func(s *Spec) { s.URL, s.ExpectedStatus = "tcp://db:5432", 200 },
		"expected_header: of TCP": func(s *Spec) { s.URL, s.ExpectedHeader = "tcp://db:5432", "A: b" },
		"expected_body: of TCP":   func(s *Spec) { s.URL, s.ExpectedBody = "tcp://db:5432", "b" },
		"webhook_url: of TCP":     func(s *Spec) { s.WebhookURL = "tcp://db:5432" },
	} {
		spec := goodSpec()
		change(&spec)
		err, field := spec.Validate(), strings.Split(wrong, ":")[0]
		if (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), field+": must") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestACertificateIsWarnedOfOnce(t *testing.T) {
	t.Parallel()
	target := Target{Spec: goodSpec(), State: StateUp}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, step := range []struct {
		left time.Duration
		warn bool
	}{
		{15 * 24 * time.Hour, false},
		{13 * 24 * time.Hour, true},
		{13 * 24 * time.Hour, false},
		{90 * 24 * time.Hour, false},
		{12 * 24 * time.Hour, true},
	} {
		expires := now.Add(step.left)
		var events []EventType
		target, events = target.After(Result{Healthy: true, CheckedAt: now, CertificateExpiresAt: &expires})
		if warned := slices.Contains(events, EventCertificate); warned != step.warn || len(events) > 1 {
			t.Errorf("step %d: %q", i, events)
		}
	}
	if _, events := target.After(Result{Healthy: true, CheckedAt: now}); len(events) != 0 {
		t.Errorf("without a certificate: %q", events)
	}
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	t.Parallel()
	for attempt, want := range map[int]struct{ least, most time.Duration }{
		1: {2500 * time.Millisecond, 5 * time.Second}, 2: {5 * time.Second, 10 * time.Second},
		3: {10 * time.Second, 20 * time.Second}, 8: {320 * time.Second, 640 * time.Second},
		9: {450 * time.Second, 15 * time.Minute}, 1000: {450 * time.Second, 15 * time.Minute},
	} {
		different := map[time.Duration]bool{}
		for range 100 {
			wait := backoff(attempt)
			different[wait] = true
			if wait < want.least || wait > want.most {
				t.Errorf("attempt %d waits %v, want %v to %v", attempt, wait, want.least, want.most)
			}
		}
		if len(different) < 10 {
			t.Errorf("attempt %d always waits %v", attempt, different)
		}
	}
}

func TestASlowSubscriberIsDroppedAndTheRestServed(t *testing.T) {
	t.Parallel()
	hub := NewHub(2)
	hub.begin()
	slow, _, _ := hub.Subscribe(t.Context())
	fast, cancel, err := hub.Subscribe(t.Context())
	if _, _, third := hub.Subscribe(t.Context()); err != nil || third == nil {
		t.Fatal("the limit does not hold")
	}
	for range eventBuffer + 1 {
		hub.Publish(CheckEvent{})
		<-fast
	}
	seen := 0
	for range slow {
		seen++
	}
	if seen != eventBuffer {
		t.Errorf("the slow one saw %d", seen)
	}
	cancel()
	cancel()
	hub.Close()
	hub.Publish(CheckEvent{})
	if _, _, err := hub.Subscribe(t.Context()); err == nil {
		t.Error("a closed hub took a subscriber")
	}
}

func TestAHostWithoutDeliveriesIsForgotten(t *testing.T) {
	t.Parallel()
	const address = "https://hook.example.com/a"
	var h hosts
	for range alertsPerHost {
		if !h.enter(address) {
			t.Fatal("a delivery was refused before there were too many")
		}
	}
	if h.enter("https://hook.example.com/b") {
		t.Error("there are more deliveries to one host than it may get")
	}
	for range alertsPerHost {
		h.leave(address)
	}
	if len(h.busy) != 0 {
		t.Errorf("%v is remembered", h.busy)
	}
}

func TestTheFirstCertificateOfTheChainToExpireCounts(t *testing.T) {
	t.Parallel()
	in := func(days int) *x509.Certificate {
		return &x509.Certificate{NotAfter: time.Date(2026, 1, days, 0, 0, 0, 0, time.UTC)}
	}
	for _, chain := range [][]*x509.Certificate{{in(9), in(5), in(7)}, {in(5), in(9)}, {in(9), in(7), in(5)}} {
		if got := firstExpiry(&tls.ConnectionState{PeerCertificates: chain}); got == nil || got.Day() != 5 {
			t.Errorf("got %v", got)
		}
	}
	if got := firstExpiry(nil); got != nil {
		t.Errorf("without TLS: %v", got)
	}
}

func FuzzValidate(f *testing.F) {
	f.Add("shop", "https://example.com")
	f.Add("\x00", "http://[::1]:99999/%zz")
	f.Add("\xff", "https://user:pw@host:0")
	f.Fuzz(func(t *testing.T, name, raw string) {
		s := goodSpec()
		s.Name, s.URL = name, raw
		if s.Validate() != nil {
			return
		}
		if !utf8.ValidString(name) || utf8.RuneCountInString(name) > 100 || strings.TrimSpace(name) != name || strings.ContainsFunc(name, unicode.IsControl) {
			t.Errorf("accepted the name %q", name)
		}
		req, err := http.NewRequest(http.MethodGet, raw, nil)
		if err != nil || !slices.Contains([]string{"http", "https", "tcp"}, req.URL.Scheme) || req.URL.Hostname() == "" || req.URL.User != nil {
			t.Fatalf("accepted %q: %v", raw, err)
		}
		if port := req.URL.Port(); port != "" {
			if number, err := net.LookupPort("tcp", port); err != nil || number < 1 || number > 65535 {
				t.Errorf("accepted the port of %q", raw)
			}
		}
	})
}
