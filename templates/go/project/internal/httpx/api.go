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
	hideCauses(log)
	config := huma.DefaultConfig(title, version)
	config.CreateHooks = nil // they would put a $schema link into every answer
	config.DocsPath = ""     // the page would load scripts from another host
	config.SchemasPath = ""
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "Needed when AUTH_JWKS_URL is set"},
	}
	config.Security = []map[string][]string{{}, {"bearer": {}}}
	api := humago.New(mux, config)
	api.UseMiddleware(deadline(timeout))
	if auth != nil {
		api.UseMiddleware(auth.middleware(api))
	}
	return api
}

func deadline(timeout time.Duration) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if ctx.Operation().Metadata["slow"] == true {
			next(ctx)
			return
		}
		limited, cancel := context.WithTimeout(ctx.Context(), timeout)
		defer cancel()
		next(huma.WithContext(ctx, limited))
	}
}

// hideCauses logs what is behind an internal error instead of showing it to the client.
func hideCauses(log *slog.Logger) {
	plain := huma.NewError
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, causes ...error) huma.StatusError {
		if status != http.StatusInternalServerError {
			return plain(status, message, causes...)
		}
		err := errors.Join(causes...)
		if errors.Is(err, context.DeadlineExceeded) {
			return plain(http.StatusServiceUnavailable, "the request took too long")
		}
		requestContext := context.Background()
		if ctx != nil {
			requestContext = ctx.Context()
		}
		if !errors.Is(err, context.Canceled) {
			log.ErrorContext(requestContext, "request failed", "error", err)
		}
		return plain(status, "something went wrong; the log has the details")
	}
}
