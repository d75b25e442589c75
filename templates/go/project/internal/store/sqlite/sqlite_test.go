package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func open(t *testing.T) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "test.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestAChangeWaitsForItsTurnButNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t)
		defer func() { _ = db.Close() }()
		change := func(ctx context.Context) (time.Duration, error) {
			began := time.Now()
			_, err := db.exec(ctx, "PRAGMA user_version = 1")
			return time.Since(began), err
		}
		before, err := db.writer.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if waited, err := change(t.Context()); waited != turnTime || !errors.Is(err, errLocked) {
			t.Errorf("waited for %v: %v", waited, err)
		}
		limited, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if waited, err := change(limited); waited != time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a second of time, waited for %v: %v", waited, err)
		}
		time.AfterFunc(turnTime/2, func() { _ = before.Close() })
		if waited, err := change(t.Context()); waited != turnTime/2 || err != nil {
			t.Errorf("waited for %v: %v", waited, err)
		}
	})
}

func TestAFileThatAnotherProcessLocksIsNoFaultOfOurs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	var both [2]*DB
	for i := range both {
		db, err := Open(path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		both[i] = db
	}
	err := both[0].InTx(t.Context(), func(ctx context.Context) error {
		_, err := both[1].exec(ctx, "PRAGMA user_version = 1")
		return err
	})
	if !errors.Is(err, errLocked) {
		t.Error(err)
	}
}

func TestAChangeThatIsMadeDoesNotWaitToBePrepared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t)
		defer func() { _ = db.Close() }()
		next := make(chan *sql.Conn, 1)
		began := time.Now()
		err := db.InTx(t.Context(), func(ctx context.Context) error {
			go func() {
				conn, _ := db.writer.Conn(context.WithoutCancel(ctx))
				next <- conn
			}()
			synctest.Wait() // for it to wait
			_, err := db.tx(ctx).ExecContext(ctx, "PRAGMA user_version = 1")
			return err
		})
		if waited := time.Since(began); err != nil || waited != prepareTime {
			t.Errorf("waited for %v: %v", waited, err)
		}
		if err := (<-next).Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWhatReadsCannotChange(t *testing.T) {
	t.Parallel()
	db := open(t)
	defer func() { _ = db.Close() }()
	if _, err := db.reader.ExecContext(t.Context(), "CREATE TABLE things (id INTEGER)"); err == nil {
		t.Error("a connection that reads made a table")
	}
}

func TestConnectionsThatReadAreKept(t *testing.T) {
	t.Parallel()
	db := open(t)
	defer func() { _ = db.Close() }()
	var all []*sql.Conn
	for range readers {
		conn, err := db.reader.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, conn)
	}
	for _, conn := range all {
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if closed := db.reader.Stats().MaxIdleClosed; closed != 0 {
		t.Errorf("%d of %d were closed", closed, readers)
	}
}
