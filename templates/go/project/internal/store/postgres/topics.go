package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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

// signOfLife is how long a connection may be quiet before it is asked whether it is still there, and how long it may take
// to answer: one that a firewall has forgotten tells nobody.
const signOfLife = 15 * time.Second

// Listen hands every message to each until ctx ends or the connection is lost. It has a connection of its own, since it
// waits all the time.
func (s Store) Listen(ctx context.Context, topic string, ready func(), each func(string)) error {
	return listen(ctx, s.pool.Config().ConnConfig, signOfLife, topic, ready, each)
}

func listen(ctx context.Context, config *pgx.ConnConfig, quiet time.Duration, topic string, ready func(), each func(string)) error {
	conn, err := beginListening(ctx, config, quiet, topic)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	ready()
	for {
		notification, err := waitFor(ctx, conn, quiet)
		switch {
		case err == nil:
			each(notification.Payload)
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return err
		default:
			if err := ping(ctx, conn, quiet); err != nil {
				return err
			}
		}
	}
}

func beginListening(ctx context.Context, config *pgx.ConnConfig, limit time.Duration, topic string) (*pgx.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := pgx.ConnectConfig(limited, config)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(limited, "LISTEN "+pgx.Identifier{topic}.Sanitize()); err != nil {
		return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}

func waitFor(ctx context.Context, conn *pgx.Conn, limit time.Duration) (*pgconn.Notification, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return conn.WaitForNotification(limited)
}

func ping(ctx context.Context, conn *pgx.Conn, limit time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return conn.Ping(limited)
}
