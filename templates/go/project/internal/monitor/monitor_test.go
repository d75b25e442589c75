package monitor

import (
	"strings"
	"testing"
	"time"
)

func goodSpec() Spec {
	return Spec{Name: "shop", URL: "https://example.com", Interval: time.Minute, Timeout: time.Second, FailureThreshold: 1}
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
	for i, step := range []struct {
		healthy bool
		state   State
		event   EventType
	}{
		{true, StateUp, EventNone},
		{false, StateUp, EventNone},
		{true, StateUp, EventNone},
		{false, StateUp, EventNone},
		{false, StateDown, EventDown},
		{false, StateDown, EventNone},
		{true, StateUp, EventRecovered},
	} {
		var event EventType
		target.State, target.Failures, event = target.After(Result{Healthy: step.healthy})
		if target.State != step.state || event != step.event {
			t.Errorf("step %d: %s and %q, want %s and %q", i, target.State, event, step.state, step.event)
		}
	}
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	t.Parallel()
	for attempt := 1; attempt <= 100; attempt++ {
		limit := min(firstBackoff<<min(attempt-1, 16), maxBackoff)
		if wait := backoff(attempt); wait < limit/2 || wait > limit {
			t.Errorf("attempt %d waits %v of %v", attempt, wait, limit)
		}
	}
}

func TestASlowSubscriberIsDroppedAndTheRestServed(t *testing.T) {
	t.Parallel()
	hub := NewHub(2)
	slow, _, _ := hub.Subscribe()
	fast, cancel, ok := hub.Subscribe()
	if _, _, third := hub.Subscribe(); !ok || third {
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
	if _, _, ok := hub.Subscribe(); ok {
		t.Error("a closed hub took a subscriber")
	}
}

func FuzzValidate(f *testing.F) {
	f.Add("shop", "https://example.com")
	f.Add("\x00", "http://[::1]:99999/%zz")
	f.Add("\xff", "https://user:pw@host")
	f.Fuzz(func(t *testing.T, name, url string) {
		s := goodSpec()
		s.Name, s.URL = name, url
		if s.Validate() == nil && (!strings.HasPrefix(strings.ToLower(url), "http") || strings.ContainsAny(name, "\x00\n\r")) {
			t.Errorf("accepted %q at %q", name, url)
		}
	})
}
