package postgres

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// warnOfPooler says once what a pooler as PgBouncer needs in transaction mode, in which statements that were prepared and
// LISTEN belong to nobody. Who has set default_query_exec_mode knows.
func warnOfPooler(log *slog.Logger) func(context.Context, *pgx.Conn) error {
	var asked atomic.Bool
	return func(ctx context.Context, conn *pgx.Conn) error {
		if conn.Config().DefaultQueryExecMode != pgx.QueryExecModeCacheStatement || asked.Swap(true) {
			return nil
		}
		// The pool would wait for an answer for ever.
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		var process uint32
		err := conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&process)
		if conn.IsClosed() {
			asked.Store(false)
			return err
		}
		if err == nil && process != conn.PgConn().PID() {
			log.WarnContext(ctx, "DATABASE_URL leads through a pooler; if that is in transaction mode, add default_query_exec_mode=exec to it, "+
				"and give what serves, watches or migrates a pool in session mode or a direct connection: LISTEN and locks need a session")
		}
		return nil
	}
}
