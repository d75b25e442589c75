package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Announce tells message to all who listen to the topic, once the transaction of ctx commits.
func (s Store) Announce(ctx context.Context, topic, message string) error {
	const notify = "SELECT pg_notify($1, $2)"
	var err error
	if tx := s.tx(ctx); tx != nil {
		_, err = tx.Exec(ctx, notify, topic, message)
	} else {
		_, err = s.pool.Exec(ctx, notify, topic, message)
	}
	return err
}

// Listen hands every message to each until ctx ends or the connection is lost. It has a connection of its own, since it
// waits all the time.
func (s Store) Listen(ctx context.Context, topic string, ready func(), each func(string)) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{topic}.Sanitize()); err != nil {
		return err
	}
	ready()
	for {
		notification, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		each(notification.Payload)
	}
}
