package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestMalformedRequestsAreRefusedAsProblems(t *testing.T) {
	t.Parallel()
	s := start(t)
	const targets = "/v1/targets"
	for name, r := range map[string]struct {
		status             int
		method, path, body string
	}{
		"no body":              {400, http.MethodPost, targets, ""},
		"half an object":       {400, http.MethodPost, targets, `{"name":`},
		"not JSON":             {400, http.MethodPost, targets, `name=shop`},
		"an array":             {422, http.MethodPost, targets, `[]`},
		"null":                 {422, http.MethodPost, targets, `null`},
		"a missing property":   {422, http.MethodPost, targets, `{"name":"shop"}`},
		"an unknown property":  {422, http.MethodPost, targets, `{"name":"shop","url":"https://example.com","admin":true}`},
		"a wrong type":         {422, http.MethodPost, targets, `{"name":1,"url":"https://example.com"}`},
		"a number too big":     {422, http.MethodPost, targets, `{"name":"shop","url":"https://example.com","interval_seconds":1e99}`},
		"a timeout too long":   {422, http.MethodPost, targets, `{"name":"shop","url":"https://example.com","interval_seconds":5,"timeout_ms":6000}`},
		"a NUL in the name":    {422, http.MethodPost, targets, `{"name":"a\u0000b","url":"https://example.com"}`},
		"a newline in a name":  {422, http.MethodPost, targets, `{"name":"a\nb","url":"https://example.com"}`},
		"a file URL":           {422, http.MethodPost, targets, `{"name":"shop","url":"file:///etc/passwd"}`},
		"a URL without a host": {422, http.MethodPost, targets, `{"name":"shop","url":"http:///x"}`},
		"a URL with password":  {422, http.MethodPost, targets, `{"name":"shop","url":"http://u:p@example.com"}`},
		"deep nesting":         {0, http.MethodPost, targets, strings.Repeat("[", 100_000)},
		"a body too large":     {413, http.MethodPost, targets, `{"name":"` + strings.Repeat("x", 2<<20) + `"}`},
		"an id that is none":   {422, http.MethodGet, targets + "/1", ""},
		"a limit too large":    {422, http.MethodGet, targets + "?limit=101", ""},
		"a limit of words":     {422, http.MethodGet, targets + "?limit=all", ""},
		"a false cursor":       {422, http.MethodGet, targets + "?cursor=x'--", ""},
		"an unknown path":      {404, http.MethodGet, "/v2", ""},
		"a known path's child": {404, http.MethodGet, "/livez/x", ""},
		"the wrong method":     {405, http.MethodPatch, targets, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.do(r.method, s.api+r.path, r.body)
			if err != nil {
				t.Fatal(err)
			}
			wrong := got.status != r.status && r.status != 0 || got.status < 400 || got.status > 499
			if wrong || got.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("answered %d as %s: %.300s", got.status, got.header.Get("Content-Type"), got.body)
			}
		})
	}
	if strings.Contains(s.logs.String(), "panic") {
		t.Error("a handler panicked")
	}
}

func TestOversizedHeadersAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	got, err := s.do(http.MethodGet, s.api+"/livez", "", "X-Large", strings.Repeat("x", 64<<10))
	if err == nil && got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("answered %d", got.status)
	}
}

func TestAClientThatSendsTooSlowlyIsCutOff(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, begin := range map[string]string{
		"headers": "GET /livez HTTP/1.1\r\nHost: x\r\n",
		"body":    "POST /v1/targets HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.api, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, begin); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(conn); err != nil {
				t.Errorf("still connected: %v", err)
			}
		})
	}
}

func TestWebhooksCannotReachPrivateAddresses(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 10)
	internal := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
	defer internal.Close()
	s := start(t, "ALLOWED_PRIVATE_CIDRS=")
	path := "/v1/targets/" + s.create("shop", internal.URL, strings.Replace(internal.URL, "127.0.0.1", "localhost", 1)).ID
	var result struct {
		Healthy bool   `json:"healthy"`
		Failure string `json:"failure"`
	}
	s.want(http.StatusOK, http.MethodPost, path+"/check", "", &result)
	if result.Healthy || !strings.Contains(result.Failure, "not a public address") {
		t.Errorf("probed: %+v", result)
	}
	eventually(t, "the refusal", func() bool {
		got := s.want(http.StatusOK, http.MethodGet, path+"/alerts", "", nil)
		return strings.Contains(string(got.body), "not a public address")
	})
	if len(reached) != 0 {
		t.Error("the private server was reached")
	}
}

func TestWebhooksNeedASecret(t *testing.T) {
	t.Parallel()
	s := start(t, "WEBHOOK_SECRET=")
	got := s.want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/targets",
		`{"name":"shop","url":"https://example.com","webhook_url":"https://example.com/hook"}`, nil)
	if !strings.Contains(string(got.body), "WEBHOOK_SECRET") {
		t.Errorf("answered %s", got.body)
	}
}

func TestOnlyGenuineTokensAreAccepted(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{publicJWK(t, key)}})
	}))
	defer provider.Close()
	s := start(t, "AUTH_JWKS_URL="+provider.URL, "AUTH_ISSUER=https://id.example.com", "AUTH_AUDIENCE=monitor")

	valid := func() jwt.MapClaims {
		return jwt.MapClaims{"iss": "https://id.example.com", "aud": "monitor", "sub": "ann", "exp": time.Now().Add(time.Hour).Unix()}
	}
	with := func(name string, value any) jwt.MapClaims {
		claims := valid()
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
		return claims
	}
	genuine := sign(t, jwt.SigningMethodES256, key, "current", valid())
	s.want(http.StatusOK, http.MethodGet, "/v1/targets", "", nil, "Authorization", "Bearer "+genuine)
	s.want(http.StatusOK, http.MethodGet, "/livez", "", nil)

	header, payload, _ := strings.Cut(genuine, ".")
	for name, token := range map[string]string{
		"none at all":        "",
		"another scheme":     "Basic " + genuine,
		"not a token":        "Bearer x",
		"no expiry":          "Bearer " + sign(t, jwt.SigningMethodES256, key, "current", with("exp", nil)),
		"expired":            "Bearer " + sign(t, jwt.SigningMethodES256, key, "current", with("exp", time.Now().Add(-time.Hour).Unix())),
		"not valid yet":      "Bearer " + sign(t, jwt.SigningMethodES256, key, "current", with("nbf", time.Now().Add(time.Hour).Unix())),
		"another issuer":     "Bearer " + sign(t, jwt.SigningMethodES256, key, "current", with("iss", "https://evil.example.com")),
		"another audience":   "Bearer " + sign(t, jwt.SigningMethodES256, key, "current", with("aud", "shop")),
		"another key":        "Bearer " + sign(t, jwt.SigningMethodES256, other, "current", valid()),
		"an unknown key id":  "Bearer " + sign(t, jwt.SigningMethodES256, other, "next", valid()),
		"no algorithm":       "Bearer " + sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "current", valid()),
		"a shared secret":    "Bearer " + sign(t, jwt.SigningMethodHS256, []byte(header), "current", valid()),
		"a broken signature": "Bearer " + header + "." + payload[:len(payload)-4] + "AAAA",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.do(http.MethodGet, s.api+"/v1/targets", "", "Authorization", token)
			if err != nil || got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") == "" {
				t.Errorf("answered %d, %v: %s", got.status, err, got.body)
			}
		})
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicJWK(t *testing.T, key *ecdsa.PrivateKey) map[string]any {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Error(err)
	}
	coordinate := base64.RawURLEncoding.EncodeToString
	return map[string]any{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "current",
		"x": coordinate(point[1:33]), "y": coordinate(point[33:]),
	}
}

func sign(t *testing.T, method jwt.SigningMethod, key any, id string, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = id
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestTheServiceOutlivesItsDatabase(t *testing.T) {
	t.Parallel()
	server := os.Getenv("TEST_DATABASE_URL")
	if server == "" {
		t.Skip("TEST_DATABASE_URL is not set")
	}
	u := newDatabase(t, server)
	line := newCuttableLine(t, u.Host)
	u.Host = line.addr
	var migrated strings.Builder
	env := Env{Environ: []string{"DATABASE_URL=" + u.String()}, Stdout: &migrated, Stderr: io.Discard}
	if status := Run(t.Context(), env, []string{"migrate", "up"}); status != 0 {
		t.Fatalf("migrate up exited %d", status)
	}
	s := start(t, "DATABASE_URL="+u.String())
	ready := func() bool {
		got, err := s.do(http.MethodGet, s.api+"/readyz", "")
		return err == nil && got.status == http.StatusOK
	}
	if !ready() {
		t.Fatal("not ready")
	}
	line.cut()
	eventually(t, "readiness failing", func() bool { return !ready() })
	s.want(http.StatusOK, http.MethodGet, "/livez", "", nil)
	got := s.want(http.StatusInternalServerError, http.MethodGet, "/v1/targets", "", nil)
	if strings.Contains(string(got.body), "dial") || !strings.Contains(s.logs.String(), "request failed") {
		t.Errorf("the cause belongs into the log, not into the answer: %s", got.body)
	}
	line.join()
	eventually(t, "readiness coming back", ready)
	s.create("shop", "https://shop.example.com", "")
}

// newDatabase makes a database of its own for the test.
func newDatabase(t *testing.T, server string) *url.URL {
	t.Helper()
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := db.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)")
		if err := errors.Join(err, db.Close()); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u
}

// cuttableLine passes connections on until it is cut.
type cuttableLine struct {
	addr  string
	mu    sync.Mutex
	whole bool
	conns []net.Conn
}

func newCuttableLine(t *testing.T, to string) *cuttableLine {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	line := &cuttableLine{addr: listener.Addr().String(), whole: true}
	t.Cleanup(func() {
		_ = listener.Close()
		line.cut()
	})
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.DialTimeout("tcp", to, time.Second)
			if err != nil || !line.add(near, far) {
				_ = near.Close()
				continue
			}
			go pass(far, near)
			go pass(near, far)
		}
	}()
	return line
}

func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

func (l *cuttableLine) add(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, conns...)
	return l.whole
}

func (l *cuttableLine) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.whole = false
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

func (l *cuttableLine) join() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.whole = true
}

func FuzzCreateTarget(f *testing.F) {
	for _, seed := range []string{
		`{"name":"shop","url":"https://example.com"}`, `{"name":"","url":""}`, `{`, `[]`, `null`, `{"name":"\ud800","url":"http://[::1"}`,
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	env := Env{Stderr: io.Discard, Environ: []string{"DATABASE_URL=sqlite:" + dir + "/fuzz.db", "RATE_LIMIT_PER_SECOND=1e9", "RATE_LIMIT_BURST=1000000000"}}
	handler := newHandler(f, env)
	f.Fuzz(func(t *testing.T, body string) {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/targets", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, req)
		if recorder.Code >= 500 {
			t.Fatalf("%q answered %d: %s", body, recorder.Code, recorder.Body)
		}
		if recorder.Code == http.StatusCreated && !json.Valid(recorder.Body.Bytes()) {
			t.Fatalf("%q answered %s", body, recorder.Body)
		}
	})
}

func newHandler(f *testing.F, env Env) http.Handler {
	f.Helper()
	c, err := env.config()
	if err != nil {
		f.Fatal(err)
	}
	db, err := env.openStore(f.Context(), c)
	if err != nil {
		f.Fatal(err)
	}
	s, err := newService(f.Context(), c, discard(), db)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		s.transport.CloseIdleConnections()
		if err := db.Close(); err != nil {
			f.Error(fmt.Errorf("close: %w", err))
		}
	})
	return s.api.Handler
}
