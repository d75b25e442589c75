package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// PostgresURL makes an empty database for the test on the server that TEST_DATABASE_URL names, and drops it afterwards.
// Without a server the test is skipped.
func PostgresURL(t *testing.T) string {
	t.Helper()
	server := os.Getenv("TEST_DATABASE_URL")
	if server == "" {
		t.Skip("TEST_DATABASE_URL is not set")
	}
	u, err := url.Parse(server)
	must(t, err)
	db, err := sql.Open("pgx", server)
	must(t, err)
	name := "test_" + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		_, err := db.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		must(t, errors.Join(err, db.Close()))
	})
	_, err = db.ExecContext(t.Context(), "CREATE DATABASE "+name)
	must(t, err)
	u.Path = "/" + name
	return u.String()
}
