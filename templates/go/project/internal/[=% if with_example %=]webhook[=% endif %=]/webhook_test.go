package webhook

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The example of the specification's own libraries.
const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	id        = "msg_p5jXN8AQM9LWM0D4loKWxlek"
	timestamp = "1614265330"
	payload   = `{"test": 2432232314}`
	signature = "v1,BWy17FPvrvgB9B8Tq0JOg4pHYngeNOMHSr/OYzFsrg0="
)

func parse(t *testing.T, raw string) Secrets {
	t.Helper()
	secrets, err := ParseSecrets(raw)
	if err != nil {
		t.Fatal(err)
	}
	return secrets
}

func TestSignaturesAreThoseOfTheSpecification(t *testing.T) {
	t.Parallel()
	if got := parse(t, secret).Sign(id, timestamp, payload); got != signature {
		t.Errorf("got %s, want %s", got, signature)
	}
}

func TestWhileOneSecretFollowsAnotherBothSign(t *testing.T) {
	t.Parallel()
	// Computed elsewhere, with the text of the secret as the key, as all did before release 0.7.0.
	const ofText = "v1,0Jd152oW9d+Cyp3yeDhBAdkNItJM5BialSF6DSWC+44="
	both := strings.Fields(parse(t, secret+", "+strings.Repeat("x", 32)).Sign(id, timestamp, payload))
	if len(both) != 2 || both[0] != signature || both[1] != ofText {
		t.Errorf("got %v", both)
	}
}

func TestSecretsThatAreTooShortAreRefused(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "x", secret + ",", "whsec_", "whsec_x", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa==", "whsec_" + strings.Repeat("A", 88)} {
		if _, err := ParseSecrets(raw); err == nil || strings.Contains(err.Error(), "MfKQ") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestAnswersThatAreNoSuccessAreToldApart(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		status      int
		after       string
		gone        bool
		least, most time.Duration
	}{
		"gone":               {410, "", true, 0, 0},
		"busy for a while":   {429, "7", false, 7 * time.Second, 7 * time.Second},
		"busy until a date":  {503, time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), false, 50 * time.Second, time.Minute},
		"busy until a past":  {503, "Mon, 02 Jan 2006 15:04:05 GMT", false, 0, 0},
		"busy for who knows": {503, "soon", false, 0, 0},
		"a redirect":         {302, "", false, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/elsewhere" {
					t.Error("a redirect was followed")
					return
				}
				w.Header().Set("Location", "/elsewhere")
				w.Header().Set("Retry-After", want.after)
				w.WriteHeader(want.status)
			}))
			defer server.Close()
			err := parse(t, secret).Post(t.Context(), Client(server.Client().Transport), server.URL, id, payload)
			refused, _ := errors.AsType[*RefusedError](err)
			if errors.Is(err, ErrGone) != want.gone || (refused == nil) != want.gone {
				t.Fatalf("got %v", err)
			}
			if refused != nil && (refused.Status != want.status || refused.RetryAfter < want.least || refused.RetryAfter > want.most) {
				t.Errorf("got %+v", refused)
			}
		})
	}
}
