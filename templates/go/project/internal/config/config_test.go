package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func anyURL(string) error { return nil }

func TestLoadNeedsNothing(t *testing.T) {
	t.Parallel()
	c, err := Load(nil, anyURL)
	if err != nil {
		t.Fatal(err)
	}
	if c.Addr() != "127.0.0.1:8080" || c.AdminAddr() != "127.0.0.1:9090" {
		t.Errorf("listens on %s and %s", c.Addr(), c.AdminAddr())
	}
}

func TestLoadTakesEmptyForUnset(t *testing.T) {
	t.Parallel()
	if _, err := Load([]string{"PORT=", "TRUSTED_PROXIES=", "DRAIN_DELAY= "}, anyURL); err != nil {
		t.Fatal(err)
	}
}

func TestLoadReportsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Load([]string{
		"PORT=eighty", "LOG_LEVEL=loud", "REQUEST_TIMEOUT=5", "MAX_IN_FLIGHT=0", "TRUSTED_PROXIES=10.0.0.0/8,home",
		"WEBHOOK_SECRET=hunter2", "AUTH_ISSUER=https://id.example.com", "DATABASE_URL=mysql://root:hunter2@db/x",
	}, func(string) error { return errors.New("DATABASE_URL must name a database") })
	if err == nil {
		t.Fatal("was accepted")
	}
	for _, want := range []string{
		"PORT must be a port number", "LOG_LEVEL must be debug", "REQUEST_TIMEOUT must be a duration",
		"MAX_IN_FLIGHT must be at least 1", "TRUSTED_PROXIES must be networks", "WEBHOOK_SECRET must be at least",
		"AUTH_JWKS_URL must be", "AUTH_AUDIENCE must be set", "DATABASE_URL must name a database",
	} {
		if strings.Count(err.Error(), want) != 1 {
			t.Errorf("%q is not reported once in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is shown:\n%v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{"WEBHOOK_SECRET=" + strings.Repeat("x", 32)}, anyURL)
	if err != nil {
		t.Fatal(err)
	}
	if printed := fmt.Sprintf("%v %+v %s", c, c, c.WebhookSecret); strings.Contains(printed, "xxx") {
		t.Error(printed)
	}
}
