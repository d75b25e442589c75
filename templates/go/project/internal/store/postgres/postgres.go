// Package postgres keeps the data in PostgreSQL.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Error codes of PostgreSQL.
const (
	uniqueViolation     = "23505"
	foreignKeyViolation = "23503"
	tooManyConnections  = "53300"
	// Classes of codes: 08 and 57P, of which 57P01 ends a connection and 57P03 means that the server is starting.
	connectionException  = "08"
	operatorIntervention = "57P"
)

// DB is a PostgreSQL database.
type DB struct {
	Store
	db       *sql.DB
	provider *goose.Provider
	migrated atomic.Bool
}

// Check says whether url can be understood, without giving its password away.
func Check(url string) error {
	if _, err := pgxpool.ParseConfig(url); err != nil {
		return errors.New("DATABASE_URL is not a valid PostgreSQL URL")
	}
	return nil
}

// Open makes a pool that connects when it is needed.
func Open(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	warn := warnOfPooler(log)
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		readTimesInUTC(conn)
		return warn(ctx, conn)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	provider, err := newProvider(db, log)
	if err != nil {
		pool.Close()
		return nil, errors.Join(fmt.Errorf("read migrations: %w", err), db.Close())
	}
	return &DB{Store: Store{pool: pool}, db: db, provider: provider}, nil
}

func readTimesInUTC(conn *pgx.Conn) {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
}

// newProvider holds an advisory lock while it migrates, so that replicas cannot collide.
func newProvider(db *sql.DB, log *slog.Logger) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithAllowOutofOrder(true), goose.WithSlog(log))
}

// Embedded reports that the database is shared.
func (*DB) Embedded() bool { return false }

// Migrate applies what is pending and returns how much that was.
func (d *DB) Migrate(ctx context.Context) (int, error) {
	results, err := d.provider.Up(ctx)
	return len(results), err
}

// Ready fails while the database does not answer or lacks migrations.
func (d *DB) Ready(ctx context.Context) error {
	if d.migrated.Load() {
		return d.pool.Ping(ctx)
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
	stat := d.pool.Stat()
	return int(stat.AcquiredConns()), int(stat.MaxConns())
}

// closeTime is what closing may take: the pool waits much longer for a server that does not answer, and needs nothing of it.
const closeTime = time.Second

// Close closes the pool.
func (d *DB) Close() error {
	closed := make(chan error, 1)
	go func() {
		err := d.db.Close()
		d.pool.Close()
		closed <- err
	}()
	select {
	case err := <-closed:
		return err
	case <-time.After(closeTime):
		return nil
	}
}

func isUnique(err error) bool { return hasCode(err, uniqueViolation) }

func isForeignKey(err error) bool { return hasCode(err, foreignKeyViolation) }

// isAway is whether nobody answers, or a connection ended before the answer: the database stops, starts or has no place left.
func isAway(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false // the request is over, whatever the database does
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, connectionException) || strings.HasPrefix(e.Code, operatorIntervention) || e.Code == tooManyConnections
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	_, ok := errors.AsType[*net.OpError](err)
	return ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err)
}

func hasCode(err error, code string) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == code
}
