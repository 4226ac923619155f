// Package ticket holds the rules of a support request: opened by a customer,
// answered by either side, closed, and reopened within a week.
//
// That its human number belongs to it alone is the part of domain/reservation.
package ticket

import (
	"strings"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Event is a fact about a ticket.
type Event interface {
	domain.Event
	apply(Ticket) Ticket
}

// Target is one ticket.
type Target = domain.Target[Ticket, Event]

// Decider folds a ticket's facts.
var Decider = domain.Decider[Ticket, Event]{
	Category: "ticket",
	Evolve:   func(t Ticket, e Event) Ticket { return e.apply(t) },
	Types: []domain.Type{
		domain.PublicTypeOf[Opened](delegation.TicketsRead),
		domain.PublicTypeOf[CustomerReplied](delegation.TicketsRead),
		domain.PublicTypeOf[StaffReplied](delegation.TicketsRead),
		domain.PublicTypeOf[Closed](delegation.TicketsRead),
		domain.PublicTypeOf[Reopened](delegation.TicketsRead),
	},
}

// Status is where a ticket stands.
type Status string

// The states of a ticket; "" is one that does not exist.
const (
	StatusNone          Status = ""
	StatusOpen          Status = "open"
	StatusAnswered      Status = "answered"
	StatusCustomerReply Status = "customer_reply"
	StatusOnHold        Status = "on_hold"
	StatusInProgress    Status = "in_progress"
	StatusClosed        Status = "closed"
)

// Department is who answers.
type Department string

// The departments.
const (
	Technical Department = "technical"
	Billing   Department = "billing"
	Sales     Department = "sales"
)

// Priority is how urgent the customer finds it.
type Priority string

// The priorities.
const (
	Low    Priority = "low"
	Normal Priority = "normal"
	High   Priority = "high"
)

// Related is the thing that a ticket is about.
type Related struct {
	// Kind is service, domain or invoice.
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// ReopenWindow is how long a closed ticket can be opened again.
const ReopenWindow = 7 * 24 * time.Hour

// Ticket is the state of a ticket.
type Ticket struct {
	Account string
	Number  string
	Status  Status
	// ReopenUntil is when a closed ticket is closed for good.
	ReopenUntil time.Time
}

// OwnerAccount is the account that opened the ticket.
func (t Ticket) OwnerAccount() string { return t.Account }

// Errors of this aggregate.
var (
	ErrExists  = domain.Conflict("ticket_exists", "This ticket is open already.")
	ErrMissing = domain.Missing("ticket")
	ErrClosed  = domain.Conflict("ticket_closed", "The ticket is closed; reopen it first.")
	ErrTooLate = domain.Conflict("ticket_closed_for_good", "The ticket was closed more than seven days ago; open a new one.")
)

// IsNumber reports whether s is a ticket number: three capital letters, a
// hyphen and six digits.
func IsNumber(s string) bool {
	letters, digits, _ := strings.Cut(s, "-")
	return len(letters) == 3 && len(digits) == 6 &&
		strings.Trim(letters, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" && strings.Trim(digits, "0123456789") == ""
}

const messageLimit = 20_000

// publicStatus is what the event feed shows of a change without a text.
type publicStatus struct {
	Status Status `json:"status"`
}

// publicMessage is what the event feed shows of a message.
type publicMessage struct {
	Status  Status `json:"status"`
	Message string `json:"message"`
}
