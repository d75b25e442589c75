// Package sqlite keeps the data in one file, without a server.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/pressly/goose/v3"
	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// readers is how many reads run at once, beside the one writer that SQLite allows.
const readers = 4

// DB is a SQLite database.
type DB struct {
	Store
	provider *goose.Provider
	migrated atomic.Bool
}

// Open opens the file, making it and its folder if need be.
func Open(path string, log *slog.Logger) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make the database's folder: %w", err)
	}
	writer, err := sql.Open("sqlite", dsn(path, "_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	writer.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", dsn(path, "_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), writer.Close())
	}
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers) // or two are closed whenever all are idle, and what they prepared is lost
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, errors.Join(err, reader.Close(), writer.Close())
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, writer, files, goose.WithAllowOutofOrder(true), goose.WithSlog(log))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read migrations: %w", err), reader.Close(), writer.Close())
	}
	store := Store{reader: &statements{DB: reader}, writer: &statements{DB: writer}, topics: &topics{listeners: map[*listener]struct{}{}}}
	return &DB{Store: store, provider: provider}, nil
}

// dsn waits for locks, lets readers and the writer work side by side, and syncs every commit.
func dsn(path, extra string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&" + extra
}

// Embedded reports that the process owns this database.
func (*DB) Embedded() bool { return true }

// Migrate applies what is pending and returns how much that was.
func (d *DB) Migrate(ctx context.Context) (int, error) {
	results, err := d.provider.Up(ctx)
	return len(results), err
}

// Ready fails while the database does not answer or lacks migrations.
func (d *DB) Ready(ctx context.Context) error {
	if d.migrated.Load() {
		var one int
		return d.reader.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM goose_db_version LIMIT 1)").Scan(&one)
	}
	pending, err := d.provider.HasPending(ctx)
	if err != nil {
		return err
	}
	if pending {
		return errors.New("migrations are pending")
	}
	d.migrated.Store(true)
	return nil
}

// Connections tells how many are in use, and how many there may be.
func (d *DB) Connections() (used, most int) {
	return d.reader.Stats().InUse + d.writer.Stats().InUse, readers + 1
}

// Close closes the database.
func (d *DB) Close() error { return errors.Join(d.reader.Close(), d.writer.Close()) }

func isUnique(err error) bool {
	e, ok := errors.AsType[*sqlitedriver.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

func isForeignKey(err error) bool {
	e, ok := errors.AsType[*sqlitedriver.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}

// isLocked is whether another process kept the file locked for longer than busy_timeout.
func isLocked(err error) bool {
	e, ok := errors.AsType[*sqlitedriver.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
}
