package account

import (
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// TransferLife is how long an offer to hand an account over can be accepted.
const TransferLife = 7 * 24 * time.Hour

// TransferStatus is where an offer to hand an account over stands.
type TransferStatus string

// An offer is open until somebody ends it, or its time does.
const (
	TransferOpen      TransferStatus = "open"
	TransferAccepted  TransferStatus = "accepted"
	TransferDeclined  TransferStatus = "declined"
	TransferWithdrawn TransferStatus = "withdrawn"
	TransferExpired   TransferStatus = "expired"
)

// Transfer is the latest offer of an owner to hand the account over.
type Transfer struct {
	ID     string
	Status TransferStatus
	// Email is the address of whom it is offered to.
	Email     string
	OpenUntil time.Time
	// Keep is what the owner keeps as a delegate, nil for nothing.
	Keep *delegation.Terms
}

// Errors of handing an account over.
var (
	ErrTransferMissing = domain.Missing("ownership transfer")
	ErrTransferOpen    = domain.Conflict("transfer_open", "This account is offered to somebody; take that back first.")
	ErrTransferOver    = domain.Conflict("transfer_over", "This offer is over; ask for another one.")
	ErrTransferOwn     = domain.Conflict("transfer_own_account", "You own this account already.")
	ErrTransferHeld    = domain.Conflict("transfer_held", "This account cannot change hands now; ask its owner, or our support.")
	ErrTransferStaff   = domain.Conflict("transfer_to_staff", "Staff take over no account of a customer; use another log-in.")
)

// publicTransfer is what the event feed shows of an offer.
type publicTransfer struct {
	Transfer  string         `json:"transfer"`
	Status    TransferStatus `json:"status"`
	OpenUntil *time.Time     `json:"open_until,omitempty"`
	// From and To are the former and the new owner.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// OwnershipTransferProposed says that the owner offers the account to somebody.
type OwnershipTransferProposed struct {
	// Transfer tells this offer from others. It is the subject of the address's
	// key, so that the address can be erased without the account.
	Transfer  string    `json:"transfer"`
	Email     string    `json:"email" personal:"transfer,profile"`
	OpenUntil time.Time `json:"open_until"`
	// Keep is what the owner keeps as a delegate, nil for nothing.
	Keep *delegation.Terms `json:"keep,omitempty"`
}

// EventType is the name on disk.
func (OwnershipTransferProposed) EventType() string { return "account.ownership_transfer_proposed.v1" }

// Public leaves the address to the owner.
func (e OwnershipTransferProposed) Public() any {
	return publicTransfer{Transfer: e.Transfer, Status: TransferOpen, OpenUntil: &e.OpenUntil}
}

func (e OwnershipTransferProposed) apply(a Account) Account {
	a.Transfer = &Transfer{ID: e.Transfer, Status: TransferOpen, Email: e.Email, OpenUntil: e.OpenUntil, Keep: e.Keep}
	return a
}

// ProposeTransfer offers the account to an address that was checked. By is who
// asks, "" for parts of the system; own is true for the owner's own address,
// transfer a fresh id.
func (a Account) ProposeTransfer(by, transfer, email string, own bool, keep *delegation.Terms, now time.Time) ([]Event, error) {
	if err := a.MayTakeOn(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.Because(!own, "email", "own_address", "must be somebody else's")
	if keep != nil {
		terms := delegation.CheckTerms(&c, "keep.", *keep, now)
		keep = &terms
	}
	switch err := c.Err(); {
	case !a.ownedBy(by):
		return nil, domain.ErrDenied
	case a.offered(now):
		return nil, ErrTransferOpen
	case err != nil:
		return nil, err
	}
	return append(a.expired(now), OwnershipTransferProposed{Transfer: transfer, Email: email, OpenUntil: now.Add(TransferLife), Keep: keep}), nil
}

// ownedBy reports whether a user owns the account by now: the rights of a call
// may be older. Parts of the system, "", stand in for the owner.
func (a Account) ownedBy(user string) bool { return user == "" || user == a.Owner }

// offered reports whether somebody can still accept the account.
func (a Account) offered(now time.Time) bool { return a.unended() && now.Before(a.Transfer.OpenUntil) }

// unended reports whether there is an offer whose end is not noted, though its
// time may be over.
func (a Account) unended() bool { return a.Transfer != nil && a.Transfer.Status == TransferOpen }

// expired notes that the time of an offer is over, if that was not done.
func (a Account) expired(now time.Time) []Event {
	if !a.unended() || a.offered(now) {
		return nil
	}
	return []Event{OwnershipTransferExpired{Transfer: a.Transfer.ID}}
}

// Offers reports whether an offer can be accepted at a time.
func (a Account) Offers(transfer string, now time.Time) bool {
	return a.offered(now) && a.Transfer.ID == transfer
}

// Awaits reports whether somebody may yet become the owner by an offer, "" for
// none, have it again since staff undo one of its closings, 0 for none, or own it
// by opening it. It does not look at the clock: whoever accepts may have done so
// before.
func (a Account) Awaits(transfer string, reopening int) bool {
	switch {
	case reopening > 0:
		return a.Status == StatusClosed && a.Closings == reopening
	case transfer == "":
		return !a.Exists()
	}
	return a.unended() && a.Transfer.ID == transfer
}

// ended is the account whose latest offer has come to its end.
func (a Account) ended(s TransferStatus) Account {
	if a.Transfer != nil {
		over := *a.Transfer
		over.Status, a.Transfer = s, &over
	}
	return a
}

// was reports whether an offer is the latest one and ended so.
func (a Account) was(transfer string, s TransferStatus) bool {
	return a.Transfer != nil && a.Transfer.ID == transfer && a.Transfer.Status == s
}

// OwnershipTransferWithdrawn says that the account is not offered any more.
type OwnershipTransferWithdrawn struct {
	Transfer string `json:"transfer"`
}

// EventType is the name on disk.
func (OwnershipTransferWithdrawn) EventType() string {
	return "account.ownership_transfer_withdrawn.v1"
}

// Public is the new state.
func (e OwnershipTransferWithdrawn) Public() any {
	return publicTransfer{Transfer: e.Transfer, Status: TransferWithdrawn}
}

func (OwnershipTransferWithdrawn) apply(a Account) Account { return a.ended(TransferWithdrawn) }

// WithdrawTransfer takes an offer back, for "" the one that can be accepted, if
// any; an offer that was taken back needs nothing.
func (a Account) WithdrawTransfer(by, transfer string, now time.Time) ([]Event, error) {
	switch {
	case transfer == "" && !a.offered(now):
		return nil, nil
	case a.Transfer == nil, transfer != "" && a.Transfer.ID != transfer:
		return nil, ErrTransferMissing
	case !a.ownedBy(by):
		return nil, domain.ErrDenied
	case a.Transfer.Status == TransferWithdrawn:
		return nil, nil
	case !a.offered(now):
		return nil, ErrTransferOver
	}
	return []Event{OwnershipTransferWithdrawn{Transfer: a.Transfer.ID}}, nil
}

// OwnershipTransferDeclined says that whom the account was offered to does not
// want it.
type OwnershipTransferDeclined struct {
	Transfer string `json:"transfer"`
}

// EventType is the name on disk.
func (OwnershipTransferDeclined) EventType() string { return "account.ownership_transfer_declined.v1" }

// Public is the new state.
func (e OwnershipTransferDeclined) Public() any {
	return publicTransfer{Transfer: e.Transfer, Status: TransferDeclined}
}

func (OwnershipTransferDeclined) apply(a Account) Account { return a.ended(TransferDeclined) }

// DeclineTransfer turns an offer down.
func (a Account) DeclineTransfer(transfer string, now time.Time) ([]Event, error) {
	switch {
	case a.was(transfer, TransferDeclined):
		return nil, nil
	case !a.Offers(transfer, now):
		return nil, ErrTransferOver
	}
	return []Event{OwnershipTransferDeclined{Transfer: transfer}}, nil
}

// OwnershipTransferExpired says that nobody accepted in time.
type OwnershipTransferExpired struct {
	Transfer string `json:"transfer"`
}

// EventType is the name on disk.
func (OwnershipTransferExpired) EventType() string { return "account.ownership_transfer_expired.v1" }

// Public is the new state.
func (e OwnershipTransferExpired) Public() any {
	return publicTransfer{Transfer: e.Transfer, Status: TransferExpired}
}

func (OwnershipTransferExpired) apply(a Account) Account { return a.ended(TransferExpired) }

// ExpireTransfer notes that an offer's time is over; nothing when it is not, or
// the offer ended otherwise.
func (a Account) ExpireTransfer(transfer string, now time.Time) ([]Event, error) {
	if !a.was(transfer, TransferOpen) {
		return nil, nil
	}
	return a.expired(now), nil
}

// OwnershipTransferred says that another user owns the account from now on. It
// is one fact: there is no moment with two owners, or with none.
type OwnershipTransferred struct {
	Transfer string `json:"transfer"`
	// From is the former owner, To the new one.
	From string `json:"from"`
	To   string `json:"to"`
	// Keep is what the former owner gets as a delegate, nil for nothing.
	Keep *delegation.Terms `json:"keep,omitempty"`
}

// EventType is the name on disk.
func (OwnershipTransferred) EventType() string { return "account.ownership_transferred.v1" }

// Public is who owns the account.
func (e OwnershipTransferred) Public() any {
	return publicTransfer{Transfer: e.Transfer, Status: TransferAccepted, From: e.From, To: e.To}
}

func (e OwnershipTransferred) apply(a Account) Account {
	a.Owner = e.To
	if e.Keep != nil {
		a.Kept = append(slices.Clip(a.Kept), e.Transfer)
	}
	return a.ended(TransferAccepted)
}

// AcceptTransfer makes a user, who has the address that the account was offered
// to, its owner. A repeat by the same user needs nothing.
func (a Account) AcceptTransfer(transfer, user string, now time.Time) ([]Event, error) {
	switch {
	case a.was(transfer, TransferAccepted) && a.Owner == user:
		return nil, nil
	case !a.Offers(transfer, now):
		return nil, ErrTransferOver
	case a.Owner == user:
		return nil, ErrTransferOwn
	}
	if err := a.MayTakeOn(); err != nil {
		return nil, err
	}
	return []Event{OwnershipTransferred{Transfer: transfer, From: a.Owner, To: user, Keep: a.Transfer.Keep}}, nil
}
