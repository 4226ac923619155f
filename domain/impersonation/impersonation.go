// Package impersonation holds that a staff member acts as a customer for a
// while: for one account, for a reason that the customer reads, and with an end.
//
// What may be done meanwhile is the part of domain/delegation. That it is on is
// kept with the session in which it was begun (commands/vault), so that it ends
// with it.
package impersonation

import (
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Event is a fact about an impersonation.
type Event interface {
	domain.Event
	apply(Impersonation) Impersonation
}

// Target is one impersonation.
type Target = domain.Target[Impersonation, Event]

// Decider folds an impersonation's facts.
var Decider = domain.Decider[Impersonation, Event]{
	Category: "impersonation",
	Evolve:   func(i Impersonation, e Event) Impersonation { return e.apply(i) },
	Types: []domain.Type{
		domain.PublicTypeOf[Started](delegation.UsersManage),
		domain.PublicTypeOf[Ended](delegation.UsersManage),
	},
}

// How long an impersonation lasts.
const (
	Longest = time.Hour
	Usual   = 30 * time.Minute
)

// Impersonation is the state of one.
type Impersonation struct {
	// Account is whom the staff member acts for.
	Account string
	// Staff is the staff member's user id.
	Staff string
	// Reason, Ticket and Consent say why, as the customer reads it.
	Reason, Ticket string
	Consent        bool
	Until          time.Time
	// Over is true once it has ended, before its time or at it.
	Over bool
}

// OwnerAccount is the account that is acted for.
func (i Impersonation) OwnerAccount() string { return i.Account }

// On reports whether it is on at a time.
func (i Impersonation) On(now time.Time) bool {
	return i.Account != "" && !i.Over && now.Before(i.Until)
}

// Errors of this aggregate.
var (
	ErrMissing = domain.Missing("impersonation")
	// ErrOn says that a session acts for one account at a time.
	ErrOn = domain.Conflict("impersonation_on", "You act for an account in this session already; end that first.")
	// ErrOwn says that the account is the staff member's own, or delegated to it.
	ErrOwn = domain.Conflict("impersonation_own_account", "You act for this account anyway.")
)

// Started says that a staff member acts for an account from now on.
type Started struct {
	Account string `json:"account"`
	Staff   string `json:"staff"`
	// Reason is what the customer reads.
	Reason string `json:"reason" personal:"account,profile"`
	// Ticket is the request that asks for it, "" when the customer agreed
	// otherwise.
	Ticket  string    `json:"ticket,omitempty"`
	Consent bool      `json:"consent,omitempty"`
	Until   time.Time `json:"until"`
}

// EventType is the name on disk.
func (Started) EventType() string { return "impersonation.started.v1" }

// Public leaves out who of the staff it is.
func (e Started) Public() any {
	return struct {
		Reason  string    `json:"reason"`
		Ticket  string    `json:"ticket,omitempty"`
		Consent bool      `json:"consent,omitempty"`
		Until   time.Time `json:"until"`
	}{e.Reason, e.Ticket, e.Consent, e.Until}
}

// Link is the ticket.
func (e Started) Link() (kind, id string) {
	if e.Ticket == "" {
		return "", ""
	}
	return "ticket", e.Ticket
}

// Unlinked is the event for who may not know of the ticket.
func (e Started) Unlinked() domain.Public {
	e.Ticket = ""
	return e
}

func (e Started) apply(Impersonation) Impersonation {
	return Impersonation{Account: e.Account, Staff: e.Staff, Reason: e.Reason, Ticket: e.Ticket, Consent: e.Consent, Until: e.Until}
}

// Start begins to act for an account: ask says for whom, why and, in Until's
// place, for how long; 0 is Usual.
func (i Impersonation) Start(ask Started, life time.Duration, now time.Time) ([]Event, error) {
	if i.Account != "" {
		return nil, ErrOn
	}
	if life == 0 {
		life = Usual
	}
	var c domain.Check
	ask.Reason = c.Line("reason", ask.Reason, 300)
	c.That(ask.Ticket != "" || ask.Consent, "ticket", "must name a ticket of the account, unless the customer has agreed")
	c.That(life >= time.Minute && life <= Longest, "minutes", "must be 1 to 60")
	if err := c.Err(); err != nil {
		return nil, err
	}
	ask.Until = now.Add(life)
	return []Event{ask}, nil
}

// By says what ended an impersonation.
type By string

// What ends an impersonation.
const (
	ByStaff       By = "staff"
	ByTime        By = "time"
	ByLogOut      By = "log_out"
	ByDismissal   By = "deactivation"
	ByBrokenStart By = "failure"
	ByClosing     By = "account_closed"
	// ByTransfer is the account's new owner, who did not ask for it.
	ByTransfer By = "ownership_transfer"
)

// Ended says that the staff member acts for the account no more.
type Ended struct {
	Account string `json:"account"`
	By      By     `json:"by"`
}

// EventType is the name on disk.
func (Ended) EventType() string { return "impersonation.ended.v1" }

// Public says how it came.
func (e Ended) Public() any {
	return struct {
		By By `json:"by"`
	}{e.By}
}

func (Ended) apply(i Impersonation) Impersonation {
	i.Over = true
	return i
}

// End ends it; one that is over needs nothing. Its time ends it only when that
// has come.
func (i Impersonation) End(by By, now time.Time) ([]Event, error) {
	switch {
	case i.Account == "":
		return nil, ErrMissing
	case i.Over, by == ByTime && now.Before(i.Until):
		return nil, nil
	}
	return []Event{Ended{Account: i.Account, By: by}}, nil
}
