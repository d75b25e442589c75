package sqlite

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"
)

func TestConnectionsThatReadAreKept(t *testing.T) {
	t.Parallel()
	db, err := Open(filepath.Join(t.TempDir(), "test.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
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
