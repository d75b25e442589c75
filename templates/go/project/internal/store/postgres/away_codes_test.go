package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestWhatMeansThatTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		&pgconn.PgError{Code: "08006"}:                              true,
		&pgconn.PgError{Code: "57P01"}:                              true,
		&pgconn.PgError{Code: "57P03"}:                              true,
		&pgconn.PgError{Code: "53300"}:                              true,
		&pgconn.PgError{Code: "23505"}:                              false,
		io.ErrUnexpectedEOF:                                         true,
		errors.New("something else"):                                false,
		fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, context.Canceled): false,
		fmt.Errorf("%w: %w", io.EOF, context.DeadlineExceeded):      false,
	} {
		if got := isAway(fmt.Errorf("in a query: %w", err)); got != want {
			t.Errorf("%v: %t", err, got)
		}
	}
}
