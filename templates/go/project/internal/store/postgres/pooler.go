package postgres

import (
	"context"
	"log/slog"
	"sync"

	"github.com/jackc/pgx/v5"
)

// warnOfPooler says once what a pooler as PgBouncer needs in transaction mode, in which statements that were prepared and
// LISTEN belong to nobody. Who has set default_query_exec_mode knows.
func warnOfPooler(log *slog.Logger) func(context.Context, *pgx.Conn) {
	var once sync.Once
	return func(ctx context.Context, conn *pgx.Conn) {
		if conn.Config().DefaultQueryExecMode != pgx.QueryExecModeCacheStatement {
			return
		}
		once.Do(func() {
			var process uint32
			err := conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&process)
			if err == nil && process != conn.PgConn().PID() {
				log.WarnContext(ctx, "DATABASE_URL leads through a pooler; if that is in transaction mode, add default_query_exec_mode=exec to it, "+
					"and give what serves or watches a pool in session mode or a direct connection, as live events need LISTEN")
			}
		})
	}
}
