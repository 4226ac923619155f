// Package notification holds what the portal tells an account under the bell:
// that something happened, and that it was read. Mail is the part of
// domain/message.
package notification

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Event is a fact about a notification.
type Event interface {
	domain.Event
	apply(Notification) Notification
}

// Target is one notification.
type Target = domain.Target[Notification, Event]

// Decider folds a notification's facts.
var Decider = domain.Decider[Notification, Event]{
	Category: "notification",
	Evolve:   func(n Notification, e Event) Notification { return e.apply(n) },
	Types: []domain.Type{
		domain.PublicTypeOf[Notified](delegation.NotificationsRead),
		domain.PublicTypeOf[Read](delegation.NotificationsRead),
	},
}

// Class is what a notification is about. Legal and security ones cannot be
// switched off.
type Class string

// The classes.
const (
	Billing  Class = "billing"
	Service  Class = "service"
	Support  Class = "support"
	Security Class = "security"
	Legal    Class = "legal"
	Info     Class = "info"
)

// Notification is the state of a notification.
type Notification struct {
	Account string
	Read    bool
}

// OwnerAccount is the account that is told.
func (n Notification) OwnerAccount() string { return n.Account }

// Errors of this aggregate.
var (
	ErrExists  = domain.Conflict("notification_exists", "This notification exists already.")
	ErrMissing = domain.Missing("notification")
)
