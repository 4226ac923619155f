// Package reservation makes a value unique across streams: an e-mail address,
// a domain name, a ticket number. Whoever wants the value holds it, writes its
// own stream, then takes it; a hold that nobody completes expires.
//
// The stream's id is an HMAC of the normalised value, so that the log does not
// tell addresses; the value itself is never here.
package reservation

import (
	"time"

	"github.com/hostfold/hostfold/domain"
)

// Event is a fact about a value.
type Event interface {
	domain.Event
	apply(Reservation) Reservation
}

// Target is one value.
type Target = domain.Target[Reservation, Event]

// Decider folds a value's facts.
var Decider = domain.Decider[Reservation, Event]{
	Category: "reservation",
	Evolve:   func(r Reservation, e Event) Reservation { return e.apply(r) },
	Types: []domain.Type{
		domain.TypeOf[Held](),
		domain.TypeOf[Taken](),
		domain.TypeOf[Freed](),
	},
}

// Kind says what sort of value is reserved. Values of two kinds never collide.
type Kind string

// The kinds of value.
const (
	Email        Kind = "email"
	DomainName   Kind = "domain_name"
	TicketNumber Kind = "ticket_number"
	ProductCode  Kind = "product_code"
)

// Status is where a value stands.
type Status string

// A value is free, then held, then taken, then free again.
const (
	StatusFree  Status = "free"
	StatusHeld  Status = "held"
	StatusTaken Status = "taken"
)

// Reservation is the state of one value.
type Reservation struct {
	Kind Kind
	// By is the id of the aggregate that holds or has the value.
	By string
	// Until is when a hold expires; it is zero for a taken value.
	Until time.Time
}

// Status is where the value stands at a time.
func (r Reservation) Status(now time.Time) Status {
	switch {
	case r.By == "":
		return StatusFree
	case r.Until.IsZero():
		return StatusTaken
	case now.Before(r.Until):
		return StatusHeld
	}
	return StatusFree
}

// HolderOf is the id that has the value for good, "" while none has.
func (r Reservation) HolderOf() string {
	if r.Until.IsZero() {
		return r.By
	}
	return ""
}

// ErrTaken says that somebody else holds or has the value.
var ErrTaken = domain.Conflict("already_taken", "It is taken already.")

// ErrNotHeld says that a hold was not there, or had expired and gone to
// somebody else.
var ErrNotHeld = domain.Conflict("not_held", "The hold has expired; start again.")
