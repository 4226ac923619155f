// Package user holds the rules of a log-in: who a person is to the portal.
//
// Passwords and their hashes are not here: an event names the credential, a
// row of commands/vault, that holds. Sessions, log-in history, known devices
// and the tokens of mails are rows of the vault too. That an e-mail address
// belongs to one user is the part of domain/reservation.
package user

import (
	"strings"

	"github.com/hostfold/hostfold/domain"
)

// Event is a fact about a user.
type Event interface {
	domain.Event
	apply(User) User
}

// Target is one user.
type Target = domain.Target[User, Event]

// Decider folds a user's facts.
var Decider = domain.Decider[User, Event]{
	Category: "user",
	Evolve:   func(u User, e Event) User { return e.apply(u) },
	Types: []domain.Type{
		domain.TypeOf[Registered]().Since("user.registered.v1"),
		domain.TypeOf[ProfileUpdated]().Since("user.profile_updated.v1"),
		domain.TypeOf[EmailVerified]().Since("user.email_verified.v1"),
		domain.TypeOf[EmailChanged]().Since("user.email_changed.v1"),
		domain.TypeOf[PasswordChanged](),
		domain.TypeOf[PasswordResetRequested](),
		domain.TypeOf[NewDeviceSeen](),
		domain.TypeOf[LoginFailuresObserved](),
		domain.TypeOf[Locked](),
		domain.TypeOf[Unlocked](),
		domain.TypeOf[Closed](),
		domain.TypeOf[TOTPEnrolled](),
		domain.TypeOf[TOTPConfirmed](),
		domain.TypeOf[TOTPDisabled](),
		domain.TypeOf[PasskeyAdded](),
		domain.TypeOf[PasskeyRenamed](),
		domain.TypeOf[PasskeyRemoved](),
		domain.TypeOf[RecoveryCodesRegenerated](),
		domain.TypeOf[RecoveryCodeUsed](),
		domain.TypeOf[PasskeyCopySuspected](),
		domain.TypeOf[FactorResetRequested](),
		domain.TypeOf[FactorResetCancelled](),
		domain.TypeOf[FactorsReset](),
		domain.TypeOf[HiringClaimed](),
		domain.TypeOf[OwnershipClaimed]().Since("user.ownership_claimed.v1", "user.ownership_claimed.v2"),
	},
}

// User is the state of a log-in.
type User struct {
	Email  string
	Name   string
	Locale Locale
	// Credential is the id of the vault row with the current password hash.
	Credential string
	// Verified is true once somebody has shown to read the mail of Email.
	Verified bool
	// Apart is true while that may be another than who knows the password.
	Apart bool
	// IsLocked is true while staff keep the user out.
	IsLocked bool
	// IsClosed is true for good: the user is no more.
	IsClosed bool
	// TOTP is the id of the vault row with the secret of the one-time codes
	// that are a second factor, PendingTOTP that of one to be confirmed.
	TOTP, PendingTOTP string
	Passkeys          []Passkey
	Recovery          Recovery
	// Reset is the reset of all of them that waits for its time.
	Reset FactorReset
	// Hiring is the last claim of who hires the user.
	Hiring HiringClaimed
	// Owning are the last claims of the user for accounts, by account.
	Owning map[string]OwnershipClaimed
}

// Status is where a user stands.
type Status string

// A user is pending until its address is verified, then active. Staff may lock
// either and unlock it again; closed is final.
const (
	StatusAbsent  Status = ""
	StatusPending Status = "pending"
	StatusActive  Status = "active"
	StatusLocked  Status = "locked"
	StatusClosed  Status = "closed"
)

// Status is where the user stands.
func (u User) Status() Status {
	switch {
	case !u.Exists():
		return StatusAbsent
	case u.IsClosed:
		return StatusClosed
	case u.IsLocked:
		return StatusLocked
	case u.Verified:
		return StatusActive
	}
	return StatusPending
}

// Exists reports whether the user was registered.
func (u User) Exists() bool { return u.Credential != "" }

// live refuses a user that is not there, or no more.
func (u User) live() error {
	switch u.Status() {
	case StatusAbsent:
		return ErrMissing
	case StatusClosed:
		return ErrClosed
	case StatusPending, StatusActive, StatusLocked:
	}
	return nil
}

// MayEnter refuses a log-in to whom it is not open, however well it is proven.
// A pending user may log in: it has to, to ask for another mail.
func (u User) MayEnter() error {
	if err := u.live(); err != nil {
		return err
	}
	if u.IsLocked {
		return ErrLocked
	}
	return nil
}

// Proven reports whether one person has shown both: to read the mail of the
// address, and to know the password. Until then a stranger may have registered
// the address, and what the log-in has may be the stranger's.
func (u User) Proven() bool { return u.Verified && !u.Apart }

// MustBeVerified refuses what needs an address that is known to be read:
// orders, invitations, API tokens.
func (u User) MustBeVerified() error {
	if err := u.live(); err != nil {
		return err
	}
	if !u.Verified {
		return ErrNotVerified
	}
	return nil
}

// Errors of this aggregate.
var (
	ErrExists  = domain.Conflict("user_exists", "This user is registered already.")
	ErrMissing = domain.Missing("user")
	ErrClosed  = domain.Conflict("user_closed", "This user is closed.")
	ErrLocked  = &domain.Error{Kind: domain.KindDenied, Code: "user_locked", Detail: "This log-in is locked; ask the support to unlock it."}
	// ErrNotVerified is the refusal of what needs a verified address.
	ErrNotVerified = &domain.Error{
		Kind: domain.KindDenied, Code: "email_not_verified",
		Detail: "Verify your e-mail address first: follow the link that was mailed to you, or ask for another one.",
	}
	// ErrOwnsAccounts refuses to close whoever still owns an account.
	ErrOwnsAccounts = domain.Conflict("owns_accounts", "You own accounts: close them or hand them over first.")
)

// Locale is a language the portal speaks.
type Locale string

// The languages of the portal.
const (
	French  Locale = "fr"
	English Locale = "en"
)

// Valid reports whether the portal speaks the language.
func (l Locale) Valid() bool { return l == French || l == English }

// NormalEmail is the form under which an address is unique: trimmed, in lower
// case. Mail goes to the address as it was given.
func NormalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }
