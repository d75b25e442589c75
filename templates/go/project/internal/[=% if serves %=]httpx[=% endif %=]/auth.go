package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/danielgtaylor/huma/v2"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// Authenticator verifies bearer tokens against the keys that the identity provider publishes.
type Authenticator struct {
	keys   keyfunc.Keyfunc
	parser *jwt.Parser
	scopes Scopes
	// away is whether the provider did not give its keys when it was last asked.
	away *atomic.Bool
}

// Scopes are what a token must have to read and to change; empty ones are not asked for. Who may change may read.
type Scopes struct{ Read, Write string }

const (
	fetchTimeout = 5 * time.Second
	// fetchAgainAfter bounds how often tokens with unknown keys, which anybody can make up, have the provider asked.
	fetchAgainAfter = 10 * time.Second
)

// NewAuthenticator fetches the keys and refreshes them until ctx ends, also when a token comes with one that is not
// among them; a provider that is down is tried again.
func NewAuthenticator(ctx context.Context, log *slog.Logger, jwksURL, issuer, audience string, scopes Scopes) (*Authenticator, error) {
	away := new(atomic.Bool)
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{jwksURL}, keyfunc.Override{
		Client: &http.Client{Transport: fetch{away, &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: 90 * time.Second,
		}}},
		HTTPTimeout:       fetchTimeout,
		RefreshInterval:   15 * time.Minute,
		RateLimitWaitMax:  fetchTimeout, // of the fetch, too
		RefreshUnknownKID: rate.NewLimiter(rate.Every(fetchAgainAfter), 1),
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(ctx context.Context, err error) {
				if errors.Is(err, context.Canceled) {
					return
				}
				away.Store(true)
				log.ErrorContext(ctx, "could not fetch the signing keys; trying again", "error", err)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("fetch signing keys: %w", err)
	}
	return &Authenticator{keys: keys, scopes: scopes, away: away, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithLeeway(30*time.Second),
	)}, nil
}

// fetch notes that the provider answers; whether with keys, the library judges afterwards.
type fetch struct {
	away *atomic.Bool
	// via is its own: whoever closes the default one's idle connections would cut off a request that begins.
	via http.RoundTripper
}

func (f fetch) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := f.via.RoundTrip(req)
	if err == nil {
		f.away.Store(false)
	}
	return resp, err
}

// caller is filled in when the request's token has been verified, so that the middleware outside can tell who it was.
type caller struct{ subject string }

type callerKey struct{}

// Subject is who sent the request, empty when authentication is off.
func Subject(ctx context.Context) string {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		return c.subject
	}
	return ""
}

func setSubject(ctx context.Context, subject string) {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		c.subject = subject
	}
}

var (
	errNoToken  = errors.New("a bearer token is needed")
	errKeysAway = errors.New("the identity provider's keys cannot be had now")
)

func (a *Authenticator) middleware(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		reads := ctx.Method() == http.MethodGet || ctx.Method() == http.MethodHead
		err := a.verify(ctx.Context(), ctx.Header("Authorization"), reads)
		if scope, lacks := errors.AsType[*scopeError](err); lacks {
			ctx.SetHeader("WWW-Authenticate", fmt.Sprintf(`Bearer error="insufficient_scope", scope=%q`, scope.needed))
			_ = huma.WriteErr(api, ctx, http.StatusForbidden, err.Error())
			return
		}
		if errors.Is(err, errKeysAway) {
			ctx.SetHeader("Retry-After", "10") // fetchAgainAfter
			_ = huma.WriteErr(api, ctx, http.StatusServiceUnavailable, err.Error())
			return
		}
		if err != nil {
			ctx.SetHeader("WWW-Authenticate", `Bearer error="invalid_token"`)
			_ = huma.WriteErr(api, ctx, http.StatusUnauthorized, reason(err))
			return
		}
		next(ctx)
	}
}

// claims are those that are looked at. Identity providers name the scopes differently.
type claims struct {
	jwt.RegisteredClaims

	Scope string `json:"scope"`
	Scp   any    `json:"scp"`
}

func (c *claims) scopes() []string {
	all := strings.Fields(c.Scope)
	switch scp := c.Scp.(type) {
	case string:
		all = append(all, strings.Fields(scp)...)
	case []any:
		for _, scope := range scp {
			all = append(all, fmt.Sprint(scope))
		}
	}
	return all
}

type scopeError struct{ needed string }

func (e *scopeError) Error() string { return "the token lacks the scope " + e.needed }

// allow fails when the token may not do what is asked.
func (s Scopes) allow(has []string, reads bool) error {
	needed := s.Write
	if reads {
		needed = s.Read
	}
	if needed == "" || slices.Contains(has, needed) || reads && s.Write != "" && slices.Contains(has, s.Write) {
		return nil
	}
	return &scopeError{needed}
}

func (a *Authenticator) verify(ctx context.Context, header string, reads bool) error {
	scheme, raw, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return errNoToken
	}
	sent := new(claims)
	if _, err := a.parser.ParseWithClaims(raw, sent, a.keys.KeyfuncCtx(ctx)); err != nil {
		if errors.Is(err, jwt.ErrTokenUnverifiable) && a.away.Load() {
			return errKeysAway // it may well be genuine
		}
		return err
	}
	setSubject(ctx, sent.Subject)
	return a.scopes.allow(sent.scopes(), reads)
}

// reason tells an honest client what to do and a forger nothing.
func reason(err error) string {
	switch {
	case errors.Is(err, errNoToken):
		return err.Error()
	case errors.Is(err, jwt.ErrTokenExpired):
		return "the token has expired"
	}
	return "the token is not valid"
}
