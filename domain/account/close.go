package account

import (
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Status is where an account stands.
type Status string

// The states of an account. One that closes takes on nothing new, and a closed
// one is only read.
const (
	StatusOpen    Status = "open"
	StatusClosing Status = "closing"
	StatusClosed  Status = "closed"
)

// Reason is why an account cannot be closed yet.
type Reason string

// The reasons; each goes away when what it names has ended.
const (
	LiveServices   Reason = "live_services"
	LiveDomains    Reason = "live_domains"
	UnpaidInvoices Reason = "unpaid_invoices"
	OpenTickets    Reason = "open_tickets"
)

// Errors of closing.
var (
	ErrClosing = domain.Conflict("account_closing", "This account is being closed; withdraw that first.")
	ErrClosed  = delegation.ErrAccountClosed
)

// publicStatus is what the event feed shows of a change of status.
type publicStatus struct {
	Status Status   `json:"status"`
	Why    []Reason `json:"why,omitempty"`
}

// ClosingRequested says that the owner wants the account closed. It takes on
// nothing new from then on, and is answered once what it holds was looked at.
type ClosingRequested struct {
	// Request tells this one from those that were withdrawn.
	Request string `json:"request"`
}

// EventType is the name on disk.
func (ClosingRequested) EventType() string { return "account.closing_requested.v1" }

// Public is the new status.
func (ClosingRequested) Public() any { return publicStatus{Status: StatusClosing} }

func (e ClosingRequested) apply(a Account) Account {
	a.Status, a.Closing = StatusClosing, e.Request
	return a
}

// RequestClosing asks to close the account; one that is closing needs nothing.
// By is who asks, "" for parts of the system.
func (a Account) RequestClosing(by, request string, now time.Time) ([]Event, error) {
	switch {
	case !a.Exists():
		return nil, ErrMissing
	case !a.ownedBy(by):
		return nil, domain.ErrDenied
	case a.offered(now):
		return nil, ErrTransferOpen
	case a.Status == StatusClosed:
		return nil, ErrClosed
	case a.Status == StatusClosing:
		return nil, nil
	}
	return append(a.expired(now), ClosingRequested{Request: request}), nil
}

// ClosingWithdrawn says that the owner keeps the account after all.
type ClosingWithdrawn struct{}

// EventType is the name on disk.
func (ClosingWithdrawn) EventType() string { return "account.closing_withdrawn.v1" }

// Public is the new status.
func (ClosingWithdrawn) Public() any { return publicStatus{Status: StatusOpen} }

func (ClosingWithdrawn) apply(a Account) Account {
	a.Status, a.Closing = StatusOpen, ""
	return a
}

// WithdrawClosing takes the request back; an open account needs nothing.
func (a Account) WithdrawClosing() ([]Event, error) {
	switch {
	case !a.Exists():
		return nil, ErrMissing
	case a.Status == StatusClosed:
		return nil, ErrClosed
	case a.Status != StatusClosing:
		return nil, nil
	}
	return []Event{ClosingWithdrawn{}}, nil
}

// ClosingRefused says why the account stays open.
type ClosingRefused struct {
	Why []Reason `json:"why"`
}

// EventType is the name on disk.
func (ClosingRefused) EventType() string { return "account.closing_refused.v1" }

// Public is the new status, and why.
func (e ClosingRefused) Public() any { return publicStatus{Status: StatusOpen, Why: e.Why} }

func (ClosingRefused) apply(a Account) Account {
	a.Status, a.Closing = StatusOpen, ""
	return a
}

// Closed says that the account is over: it is only read, by its owner, by staff,
// and by delegates until what they hold has ended with it, and nothing of it is
// changed any more.
type Closed struct {
	// Owner is who goes on reading it.
	Owner string `json:"owner"`
	// Erasure is true when it ended with the erasure of its owner.
	Erasure bool `json:"erasure,omitempty"`
	// Delegations are those that end with it, invitations too.
	Delegations []string `json:"delegations,omitempty"`
}

// EventType is the name on disk.
func (Closed) EventType() string { return "account.closed.v2" }

// Public is the new status.
func (Closed) Public() any { return publicStatus{Status: StatusClosed} }

func (Closed) apply(a Account) Account {
	a.Status, a.Closing = StatusClosed, ""
	a.Closings++
	return a
}

// AnswerClosing closes the account, and says which delegations end with it, or
// says why not. A request that was withdrawn or answered meanwhile needs nothing.
func (a Account) AnswerClosing(request string, why []Reason, delegations []string) ([]Event, error) {
	switch {
	case a.Status != StatusClosing || a.Closing != request:
		return nil, nil
	case len(why) > 0:
		return []Event{ClosingRefused{Why: why}}, nil
	}
	return []Event{Closed{Owner: a.Owner, Delegations: delegations}}, nil
}

// CloseErased closes the account of an owner who is erased, and takes back what
// is offered of it; the delegations end with it.
func (a Account) CloseErased(delegations []string) ([]Event, error) {
	if !a.Exists() || a.Status == StatusClosed {
		return nil, nil
	}
	var events []Event
	if a.unended() {
		events = append(events, OwnershipTransferWithdrawn{Transfer: a.Transfer.ID})
	}
	return append(events, Closed{Owner: a.Owner, Erasure: true, Delegations: delegations}), nil
}

// Reopened says that staff opened the account again.
type Reopened struct {
	// Owner is who has all rights again.
	Owner string `json:"owner"`
}

// EventType is the name on disk.
func (Reopened) EventType() string { return "account.reopened.v1" }

// Public is the new status.
func (Reopened) Public() any { return publicStatus{Status: StatusOpen} }

func (Reopened) apply(a Account) Account {
	a.Status = StatusOpen
	return a
}

// ErrOwnerGone refuses to open an account again whose owner is no more, or is to
// be erased.
var ErrOwnerGone = domain.Conflict("account_owner_gone", "The owner of this account is no more, or is to be erased; it stays closed.")

// Reopen opens a closed account again; another one needs nothing. ownerGone is
// true when the owner is no more, or is to be erased.
func (a Account) Reopen(ownerGone bool) ([]Event, error) {
	switch {
	case !a.Exists():
		return nil, ErrMissing
	case a.Status != StatusClosed:
		return nil, nil
	case ownerGone:
		return nil, ErrOwnerGone
	}
	return []Event{Reopened{Owner: a.Owner}}, nil
}

// MayTakeOn refuses what would be a new obligation of an account that closes,
// or is closed.
func (a Account) MayTakeOn() error {
	if a.Status == StatusClosing {
		return ErrClosing
	}
	return a.MayChange()
}

// MayChange refuses any change of an account that is closed.
func (a Account) MayChange() error {
	switch {
	case !a.Exists():
		return ErrMissing
	case a.Status == StatusClosed:
		return ErrClosed
	}
	return nil
}
