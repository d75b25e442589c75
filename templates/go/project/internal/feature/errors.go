// Package feature holds what every feature shares: errors with a code, transactions, ids and times.
package feature

import "strings"

// Code says what kind of error it is; each way in (HTTP, RPC, the command line) answers all errors of a code alike.
type Code string

// The codes.
const (
	NotFound    Code = "not_found"
	Taken       Code = "taken"
	Stale       Code = "stale"
	Invalid     Code = "invalid"
	Unavailable Code = "unavailable"
)

// Field says what is wrong with one field of what was sent.
type Field struct{ Name, Message string }

// Error is one that a caller is expected to tell apart, and may see. Any other error is a fault of ours.
type Error struct {
	Code    Code
	Message string
	Fields  []Field
}

// NewError makes an error.
func NewError(code Code, message string) error { return &Error{Code: code, Message: message} }

// InvalidFields is the error of everything that is wrong, and nil if nothing is.
func InvalidFields(fields ...Field) error {
	if len(fields) == 0 {
		return nil
	}
	return &Error{Code: Invalid, Message: "validation failed", Fields: fields}
}

func (e *Error) Error() string {
	if len(e.Fields) == 0 {
		return e.Message
	}
	lines := make([]string, len(e.Fields))
	for i, field := range e.Fields {
		lines[i] = field.Name + ": " + field.Message
	}
	return strings.Join(lines, "\n")
}
