package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store reads and writes, within InTx as a part of its transaction. Each feature has its methods in a file of its own.
type Store struct{ pool *pgxpool.Pool }

// transactionOf is where the context keeps the transaction of one database.
type transactionOf struct{ database *pgxpool.Pool }

// InTx runs fn in one transaction; inside another it joins that one.
func (s Store) InTx(ctx context.Context, fn func(context.Context) error) error {
	if s.tx(ctx) != nil {
		return fn(ctx)
	}
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err := fn(context.WithValue(ctx, transactionOf{s.pool}, tx)); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// tx is the transaction that ctx is in, or nil.
func (s Store) tx(ctx context.Context) pgx.Tx {
	tx, _ := ctx.Value(transactionOf{s.pool}).(pgx.Tx)
	return tx
}

func (s Store) queries(ctx context.Context) *Queries {
	if tx := s.tx(ctx); tx != nil {
		return New(tx)
	}
	return New(s.pool)
}

func each[R, T any](rows []R, convert func(R) T) []T {
	all := make([]T, len(rows))
	for i, row := range rows {
		all[i] = convert(row)
	}
	return all
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// oneRow is absent when a change met no row.
func oneRow(changed int64, err, absent error) error {
	if err == nil && changed == 0 {
		return absent
	}
	return err
}

// translate gives the errors that callers tell apart their names: missing for a row that is not there, taken for a value
// that only one row may have.
func translate(err, missing, taken error) error {
	switch {
	case errors.Is(err, pgx.ErrNoRows), isForeignKey(err):
		return missing
	case isUnique(err):
		return taken
	}
	return err
}
