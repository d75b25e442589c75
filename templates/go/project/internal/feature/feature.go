package feature

import (
	"context"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Transactions lets features change several things together; each feature's Store has it.
type Transactions interface {
	// InTx runs fn in one transaction, rolled back when fn fails. What is done with the context that fn gets is part
	// of it, whichever feature's Store does it; within a transaction InTx joins that one.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
}

// Topics let the processes on one database hear what happens in the others.
type Topics interface {
	// Announce tells message to all who listen to the topic, once the transaction of ctx commits. It may be 7 kB long.
	Announce(ctx context.Context, topic, message string) error
	// Listen hands every message to each, in the order of the commits, until ctx ends or the connection is lost. It calls
	// ready as soon as nothing can be missed any more. With SQLite, it hears its own process.
	Listen(ctx context.Context, topic string, ready func(), each func(message string)) error
}

// NewID is ordered by time, which lists rely on.
func NewID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// Now is the time as every engine can store it without loss.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// ValidText is whether text is one line of printable characters, without spaces around, and not empty.
func ValidText(text string) bool {
	if !utf8.ValidString(text) || text == "" {
		return false
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return text[0] != ' ' && text[len(text)-1] != ' '
}
