package sqlite

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// statements prepares every query once, as SQLite takes longer to read most queries than to run them.
type statements struct {
	*sql.DB

	prepared sync.Map // of *sql.Stmt, by the query
}

func (s *statements) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if found, ok := s.prepared.Load(query); ok {
		return found.(*sql.Stmt), nil
	}
	made, err := s.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	kept, another := s.prepared.LoadOrStore(query, made)
	if another {
		_ = made.Close()
	}
	return kept.(*sql.Stmt), nil
}

// QueryContext runs a query that returns rows.
func (s *statements) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := s.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRowContext runs a query that returns one row.
func (s *statements) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	stmt, err := s.statement(ctx, query)
	if err != nil {
		return s.DB.QueryRowContext(ctx, query, args...) // only a row can carry the error
	}
	return stmt.QueryRowContext(ctx, args...)
}

// transaction is one on the connection that writes. It notes what is not prepared yet: that has to wait for the connection.
type transaction struct {
	*sql.Tx

	conn       *sql.Conn
	statements *statements
	missing    []string
	announced  []announcement
}

func (t *transaction) statement(ctx context.Context, query string) (stmt *sql.Stmt, ok bool) {
	found, ok := t.statements.prepared.Load(query)
	if !ok {
		t.missing = append(t.missing, query)
		return nil, false
	}
	return t.StmtContext(ctx, found.(*sql.Stmt)), true
}

// prepareTime is short: what cannot be prepared now is missed by the next transaction, too, and that is all.
const prepareTime = 100 * time.Millisecond

// end gives the connection back, and lets the next transaction find what this one missed.
func (t *transaction) end(ctx context.Context) {
	_ = t.Rollback()
	_ = t.conn.Close()
	ctx, cancel := context.WithTimeout(ctx, prepareTime)
	defer cancel()
	for _, query := range t.missing {
		_, _ = t.statements.statement(ctx, query)
	}
}

// ExecContext runs a query that returns no rows.
func (t *transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt, ok := t.statement(ctx, query); ok {
		return stmt.ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

// QueryContext runs a query that returns rows.
func (t *transaction) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt, ok := t.statement(ctx, query); ok {
		return stmt.QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

// QueryRowContext runs a query that returns one row.
func (t *transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt, ok := t.statement(ctx, query); ok {
		return stmt.QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, query, args...)
}
