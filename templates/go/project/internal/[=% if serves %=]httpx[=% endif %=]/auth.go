package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/danielgtaylor/huma/v2"
	"github.com/golang-jwt/jwt/v5"
)

// Authenticator verifies bearer tokens against the keys that the identity provider publishes.
type Authenticator struct {
	keys   keyfunc.Keyfunc
	parser *jwt.Parser
}

// NewAuthenticator fetches the keys and refreshes them until ctx ends; a provider that is down is tried again.
func NewAuthenticator(ctx context.Context, log *slog.Logger, jwksURL, issuer, audience string) (*Authenticator, error) {
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{jwksURL}, keyfunc.Override{
		HTTPTimeout:     10 * time.Second,
		RefreshInterval: 15 * time.Minute,
		// A token with an unknown key must not make the request wait for the next refresh.
		RateLimitWaitMax: time.Millisecond,
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(ctx context.Context, err error) {
				log.ErrorContext(ctx, "could not fetch the signing keys; trying again", "error", err)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("fetch signing keys: %w", err)
	}
	return &Authenticator{keys: keys, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithLeeway(30*time.Second),
	)}, nil
}

type subjectKey struct{}

// Subject is who sent the request, empty when authentication is off.
func Subject(ctx context.Context) string {
	subject, _ := ctx.Value(subjectKey{}).(string)
	return subject
}

var errNoToken = errors.New("a bearer token is needed")

func (a *Authenticator) middleware(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		subject, err := a.verify(ctx.Context(), ctx.Header("Authorization"))
		if err != nil {
			ctx.SetHeader("WWW-Authenticate", `Bearer error="invalid_token"`)
			_ = huma.WriteErr(api, ctx, http.StatusUnauthorized, reason(err))
			return
		}
		next(huma.WithValue(ctx, subjectKey{}, subject))
	}
}

func (a *Authenticator) verify(ctx context.Context, header string) (string, error) {
	scheme, raw, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return "", errNoToken
	}
	token, err := a.parser.ParseWithClaims(raw, &jwt.RegisteredClaims{}, a.keys.KeyfuncCtx(ctx))
	if err != nil {
		return "", err
	}
	return token.Claims.GetSubject()
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
