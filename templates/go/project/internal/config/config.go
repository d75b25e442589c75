// Package config reads the environment once, at the start.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Secret is a value that logs never show.
type Secret string

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// Reveal returns the secret.
func (s Secret) Reveal() string { return string(s) }

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
		reflect.TypeFor[bool]():           "true or false",
		reflect.TypeFor[float64]():        "a number",
		reflect.TypeFor[[]netip.Prefix](): "networks such as 10.0.0.0/8, separated by commas",
	}[field.Type]
	return field.Tag.Get("env"), " must be " + kind
}

func parsePrefix(raw string) (any, error) { return netip.ParsePrefix(strings.TrimSpace(raw)) }

type invalid struct{ variable, message string }
