// Package privacy holds what a person asked for about the data that are kept
// of it: an export, an erasure, and the legal hold that forbids to destroy
// anything. A stream is one user; its id is the user's id.
//
// Erasing is destroying keys (domain/subjectkey), each on its own date: what
// the law wants kept is under keys of its own. Which streams are the person's
// is read by commands; the destruction is the part of commands/process.
package privacy

import (
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// Event is a fact about a person's data.
type Event interface {
	domain.Event
	apply(Subject) Subject
}

// Target is one user.
type Target = domain.Target[Subject, Event]

// Decider folds the facts about one user's data.
var Decider = domain.Decider[Subject, Event]{
	Category: "privacy",
	Evolve:   func(s Subject, e Event) Subject { return e.apply(s) },
	Types: []domain.Type{
		domain.TypeOf[RequestSubmitted](),
		domain.TypeOf[IdentityVerified](),
		domain.TypeOf[RequestWithdrawn](),
		domain.TypeOf[RequestRefused](),
		domain.TypeOf[RequestAccepted]().Since("privacy.request_accepted.v1"),
		domain.TypeOf[RequestWidened](),
		domain.TypeOf[SubjectKeyDestroyed](),
		domain.TypeOf[ErasureCompleted](),
		domain.TypeOf[ExportProduced](),
		domain.TypeOf[LegalHoldSet](),
		domain.TypeOf[LegalHoldLifted](),
	},
}

// Status is where an erasure stands.
type Status string

// A request is submitted, then withdrawn, refused or accepted; what is accepted
// is carried out, then completed. One that was withdrawn or refused may be made
// again.
const (
	StatusNone      Status = ""
	StatusSubmitted Status = "submitted"
	StatusWithdrawn Status = "withdrawn"
	StatusRefused   Status = "refused"
	StatusAccepted  Status = "accepted"
	StatusCompleted Status = "completed"
)

// Key is a key that an erasure has to destroy, and when.
type Key struct {
	Subject string             `json:"subject"`
	Purpose subjectkey.Purpose `json:"purpose"`
	// After is the first day on which it is destroyed; the zero date is at once.
	After domain.Date `json:"after,omitempty"`
	// Account is another's account that the subject belongs to, "" without one: a
	// legal hold on its owner keeps the key, too.
	Account string `json:"account,omitempty"`
}

// Gone is a key that was destroyed.
type Gone struct {
	Subject string             `json:"subject"`
	Purpose subjectkey.Purpose `json:"purpose"`
}

// Subject is the state of one user's data.
type Subject struct {
	Status Status
	// Accounts are the accounts that are erased with the user.
	Accounts []string
	// Keys are those to be destroyed, in order; Destroyed those that were.
	Keys      []Key
	Destroyed []Gone
	// Hold is the reference of the case that forbids to destroy anything, ""
	// when there is none.
	Hold string
	// Exported is when the data of an account, or of "" the user itself, were
	// last noted to be exported.
	Exported map[string]time.Time
}

// Due reports whether a key is to be destroyed now: it was accepted, is not
// destroyed, its day has come and no hold forbids it.
func (s Subject) Due(k Key, now time.Time) bool {
	return s.Hold == "" && s.Awaits(k) && (k.After == "" || !now.Before(k.Day()))
}

// Day is the moment from which on the key may be destroyed, in UTC.
func (k Key) Day() time.Time {
	day, err := time.Parse(time.DateOnly, string(k.After))
	if err != nil {
		return time.Time{} // at once
	}
	return day
}

// Awaits reports whether a key is to be destroyed, now or later.
func (s Subject) Awaits(k Key) bool {
	return !slices.Contains(s.Destroyed, Gone{Subject: k.Subject, Purpose: k.Purpose}) && slices.Contains(s.Keys, k)
}

// UnderWay reports whether the data are being erased, or are asked to be.
func (s Subject) UnderWay() bool {
	switch s.Status {
	case StatusSubmitted, StatusAccepted, StatusCompleted:
		return true
	case StatusNone, StatusWithdrawn, StatusRefused:
	}
	return false
}

// Errors of this aggregate.
var (
	ErrHold        = domain.Conflict("legal_hold", "A legal hold forbids to erase these data.")
	ErrErased      = domain.Conflict("erased", "These data are erased or being erased.")
	ErrNotAsked    = domain.Conflict("erasure_not_requested", "Nobody asked for an erasure.")
	ErrNotAccepted = domain.Conflict("erasure_not_accepted", "The erasure was not accepted.")
	ErrNoHold      = domain.Conflict("no_legal_hold", "There is no such legal hold.")
)
