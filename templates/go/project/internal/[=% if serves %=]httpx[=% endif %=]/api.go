package httpx

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// NewAPI makes an API that serves its OpenAPI document at /openapi.json. An operation with the metadata
// "slow" is exempt from the request timeout.
func NewAPI(mux *http.ServeMux, title, version string, log *slog.Logger, timeout time.Duration, auth *Authenticator) huma.API {
	config := huma.DefaultConfig(title, version)
	config.CreateHooks = nil // they would put a $schema link into every answer
	config.DocsPath = ""     // the page would load scripts from another host
	config.SchemasPath = ""
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "Needed when AUTH_JWKS_URL is set"},
	}
	config.Security = []map[string][]string{{}, {"bearer": {}}}
	config.Formats = jsonFormats(config.Formats)
	api := humago.New(mux, config)
	api.UseMiddleware(prepare(log, timeout))
	if auth != nil {
		api.UseMiddleware(auth.middleware(api))
	}
	return api
}

type loggerKey struct{}

// prepare bounds the time of a request, and lets errors that are hidden from the client reach the log.
func prepare(log *slog.Logger, timeout time.Duration) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if ctx.Operation().Metadata["slow"] == true {
			next(huma.WithValue(ctx, loggerKey{}, log))
			return
		}
		_, w := humago.Unwrap(ctx)
		limited := newRequestContext(ctx.Context(), log, arrival(w).Add(timeout))
		defer limited.end()
		next(huma.WithContext(ctx, limited))
	}
}

// huma makes every error through one variable of its own, so it is set once for the process.
func init() {
	plain := huma.NewError
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, causes ...error) huma.StatusError {
		if status != http.StatusInternalServerError || ctx == nil {
			return plain(status, message, causes...)
		}
		return hideCauses(ctx.Context(), errors.Join(causes...))
	}
}

// hideCauses logs what is behind an internal error instead of showing it to the client.
func hideCauses(ctx context.Context, err error) huma.StatusError {
	if errors.Is(err, context.DeadlineExceeded) {
		return huma.Error503ServiceUnavailable("the request took too long")
	}
	if log, ok := ctx.Value(loggerKey{}).(*slog.Logger); ok && !errors.Is(err, context.Canceled) {
		log.ErrorContext(ctx, "request failed", "error", err)
	}
	return huma.Error500InternalServerError("something went wrong; the log has the details")
}
