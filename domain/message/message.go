// Package message holds one mail: that it is to be sent, with every word of
// it, and what came of it. Its id derives from its cause, template and
// recipient, so that nobody gets the same mail twice.
//
// Sending is the part of commands/effects.
package message

import "github.com/hostfold/hostfold/domain"

// Event is a fact about a mail.
type Event interface {
	domain.Event
	apply(Message) Message
}

// Target is one mail.
type Target = domain.Target[Message, Event]

// Decider folds a mail's facts.
var Decider = domain.Decider[Message, Event]{
	Category: "message",
	Evolve:   func(m Message, e Event) Message { return e.apply(m) },
	Types: []domain.Type{
		domain.TypeOf[Queued](),
		domain.TypeOf[Sent](),
		domain.TypeOf[Failed](),
	},
}

// Status is where a mail stands.
type Status string

// The states of a mail; "" is one that does not exist.
const (
	StatusNone   Status = ""
	StatusQueued Status = "queued"
	StatusSent   Status = "sent"
	StatusFailed Status = "failed"
)

// Message is the state of a mail.
type Message struct {
	Status Status
	// Queued is what is to be sent.
	Queued Queued
}

// OwnerAccount is the account that the mail is about, "" for a user's own.
func (m Message) OwnerAccount() string { return m.Queued.Account }

// Errors of this aggregate.
var (
	ErrMissing = domain.Missing("message")
	ErrFailed  = domain.Conflict("message_failed", "This mail was given up.")
	ErrSent    = domain.Conflict("message_sent", "This mail was sent already.")
)
