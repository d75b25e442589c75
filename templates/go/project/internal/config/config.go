// Package config reads the environment once, at the start.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Config is everything that can be set; .env.example explains each variable.
type Config struct {
	Host      string     `env:"HOST" envDefault:"127.0.0.1"`
	Port      uint16     `env:"PORT" envDefault:"8080"`
	AdminHost string     `env:"ADMIN_HOST" envDefault:"127.0.0.1"`
	AdminPort uint16     `env:"ADMIN_PORT" envDefault:"9090"`
	LogLevel  slog.Level `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat string     `env:"LOG_FORMAT" envDefault:"json"`

	DatabaseURL Secret `env:"DATABASE_URL" envDefault:"sqlite:data/app.db"`

	RequestTimeout   time.Duration  `env:"REQUEST_TIMEOUT" envDefault:"10s"`
	DrainDelay       time.Duration  `env:"DRAIN_DELAY" envDefault:"0s"`
	ShutdownTimeout  time.Duration  `env:"SHUTDOWN_TIMEOUT" envDefault:"20s"`
	MaxInFlight      int            `env:"MAX_IN_FLIGHT" envDefault:"512"`
	MaxStreams       int            `env:"MAX_STREAMS" envDefault:"256"`
	RateLimit        float64        `env:"RATE_LIMIT_PER_SECOND" envDefault:"50"`
	RateLimitBurst   int            `env:"RATE_LIMIT_BURST" envDefault:"100"`
	TrustedProxies   []netip.Prefix `env:"TRUSTED_PROXIES"`
	AllowedNetworks  []netip.Prefix `env:"ALLOWED_PRIVATE_CIDRS"`
	ProbeWorkers     int            `env:"PROBE_WORKERS" envDefault:"32"`
	ResultRetention  time.Duration  `env:"RESULT_RETENTION" envDefault:"720h"`
	WebhookSecret    Secret         `env:"WEBHOOK_SECRET"`
	JWKSURL          string         `env:"AUTH_JWKS_URL"`
	JWTIssuer        string         `env:"AUTH_ISSUER"`
	JWTAudience      string         `env:"AUTH_AUDIENCE"`
	OTLPEndpoint     string         `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	OTLPHeaders      Secret         `env:"OTEL_EXPORTER_OTLP_HEADERS"`
	TraceSampleRatio float64        `env:"TRACE_SAMPLE_RATIO" envDefault:"1"`
}

// Secret is a value that logs never show.
type Secret string

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// Reveal returns the secret.
func (s Secret) Reveal() string { return string(s) }

// Addr is where the API listens.
func (c Config) Addr() string { return hostPort(c.Host, c.Port) }

// AdminAddr is where the operators' routes listen.
func (c Config) AdminAddr() string { return hostPort(c.AdminHost, c.AdminPort) }

func hostPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// Load reads the variables and reports all that is wrong with them, not only the first.
func Load(environ []string, checkDatabaseURL func(string) error) (Config, error) {
	vars := env.ToMap(environ)
	for name, value := range vars {
		if strings.TrimSpace(value) == "" {
			delete(vars, name) // compose files pass unset variables on as empty ones
		}
	}
	var c Config
	var problems []error
	err := env.ParseWithOptions(&c, env.Options{
		Environment: vars,
		FuncMap:     map[reflect.Type]env.ParserFunc{reflect.TypeFor[netip.Prefix](): parsePrefix},
	})
	broken := map[string]bool{}
	for _, e := range flatten(err) {
		name, message := explain(e)
		broken[name] = true
		problems = append(problems, fmt.Errorf("%s%s", name, message))
	}
	for _, p := range c.invalid(checkDatabaseURL) {
		if !broken[p.variable] {
			problems = append(problems, fmt.Errorf("%s %s", p.variable, p.message))
		}
	}
	if len(problems) > 0 {
		return Config{}, fmt.Errorf("the environment is not usable:\n%w", errors.Join(problems...))
	}
	return c, nil
}

func flatten(err error) []error {
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		return all.Errors
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// explain names the variable instead of the field, and never repeats its value.
func explain(err error) (name, message string) {
	parse, ok := errors.AsType[env.ParseError](err)
	if !ok {
		return "", err.Error()
	}
	field, _ := reflect.TypeFor[Config]().FieldByName(parse.Name)
	kind := map[reflect.Type]string{
		reflect.TypeFor[time.Duration]():  "a duration such as 10s or 5m",
		reflect.TypeFor[slog.Level]():     "debug, info, warn or error",
		reflect.TypeFor[uint16]():         "a port number, 0 to 65535",
		reflect.TypeFor[int]():            "a whole number",
		reflect.TypeFor[float64]():        "a number",
		reflect.TypeFor[[]netip.Prefix](): "networks such as 10.0.0.0/8, separated by commas",
	}[field.Type]
	return field.Tag.Get("env"), " must be " + kind
}

func parsePrefix(raw string) (any, error) { return netip.ParsePrefix(strings.TrimSpace(raw)) }

type invalid struct{ variable, message string }

func (c Config) invalid(checkDatabaseURL func(string) error) []invalid {
	var all []invalid
	require := func(ok bool, variable, message string) {
		if !ok {
			all = append(all, invalid{variable, message})
		}
	}
	if err := checkDatabaseURL(c.DatabaseURL.Reveal()); err != nil {
		all = append(all, invalid{"DATABASE_URL", strings.TrimPrefix(err.Error(), "DATABASE_URL ")})
	}
	require(c.Port == 0 || c.Port != c.AdminPort, "ADMIN_PORT", "must differ from PORT")
	require(c.LogFormat == "json" || c.LogFormat == "text", "LOG_FORMAT", "must be json or text")
	require(c.RequestTimeout > 0, "REQUEST_TIMEOUT", "must be more than 0s")
	require(c.DrainDelay >= 0, "DRAIN_DELAY", "must not be negative")
	require(c.ShutdownTimeout > 0, "SHUTDOWN_TIMEOUT", "must be more than 0s")
	require(c.MaxInFlight > 0, "MAX_IN_FLIGHT", "must be at least 1")
	require(c.MaxStreams > 0, "MAX_STREAMS", "must be at least 1")
	require(c.RateLimit > 0, "RATE_LIMIT_PER_SECOND", "must be more than 0")
	require(c.RateLimitBurst > 0, "RATE_LIMIT_BURST", "must be at least 1")
	require(c.ProbeWorkers > 0 && c.ProbeWorkers <= 1000, "PROBE_WORKERS", "must be 1 to 1000")
	require(c.ResultRetention >= time.Hour, "RESULT_RETENTION", "must be at least 1h")
	require(c.WebhookSecret == "" || len(c.WebhookSecret) >= 32, "WEBHOOK_SECRET", "must be at least 32 characters long")
	require(c.TraceSampleRatio >= 0 && c.TraceSampleRatio <= 1, "TRACE_SAMPLE_RATIO", "must be 0 to 1")
	require(c.OTLPEndpoint == "" || isHTTP(c.OTLPEndpoint), "OTEL_EXPORTER_OTLP_ENDPOINT", "must be an http:// or https:// URL")
	auth := c.JWKSURL != "" || c.JWTIssuer != "" || c.JWTAudience != ""
	require(!auth || isHTTP(c.JWKSURL), "AUTH_JWKS_URL", "must be an http:// or https:// URL, as AUTH_ variables are set")
	require(!auth || c.JWTIssuer != "", "AUTH_ISSUER", "must be set, as other AUTH_ variables are")
	require(!auth || c.JWTAudience != "", "AUTH_AUDIENCE", "must be set, as other AUTH_ variables are")
	return all
}

func isHTTP(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
