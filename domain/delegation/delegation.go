package delegation

import (
	"errors"
	"time"

	"github.com/hostfold/hostfold/domain"
)

// Event is a fact about a delegation.
type Event interface {
	domain.Event
	apply(Delegation) Delegation
}

// Target is one delegation.
type Target = domain.Target[Delegation, Event]

// Decider folds a delegation's facts. There is one stream per account and
// invited address, so that inviting twice makes no second delegation, another one
// for who invites the address and must not know of what is there, and one per
// hand-over at which the former owner keeps something.
var Decider = domain.Decider[Delegation, Event]{
	Category: "delegation",
	Evolve:   func(d Delegation, e Event) Delegation { return e.apply(d) },
	Types: []domain.Type{
		domain.PublicTypeOf[DelegateInvited](UsersManage),
		domain.PublicTypeOf[InvitationAccepted](UsersManage),
		domain.PublicTypeOf[InvitationDeclined](UsersManage),
		domain.PublicTypeOf[InvitationExpired](UsersManage),
		domain.PublicTypeOf[GrantChanged](UsersManage),
		domain.PublicTypeOf[Revoked](UsersManage),
		domain.PublicTypeOf[Expired](UsersManage),
		domain.PublicTypeOf[Kept](UsersManage),
		domain.PublicTypeOf[Left](UsersManage),
	},
}

// Status is where a delegation stands.
type Status string

// The states of a delegation; "" is one that does not exist. What is over can
// be begun anew by another invitation.
const (
	StatusNone     Status = ""
	StatusInvited  Status = "invited"
	StatusActive   Status = "active"
	StatusDeclined Status = "declined"
	StatusRevoked  Status = "revoked"
	StatusExpired  Status = "expired"
	StatusLeft     Status = "left"
)

// Delegation is the state of a delegation: that somebody may act for an account.
type Delegation struct {
	Account string
	Status  Status
	// Email is the invited address.
	Email string
	// Invitation is the id of the latest invitation; links of earlier ones are void.
	Invitation string
	// OpenUntil is when the invitation ends.
	OpenUntil time.Time
	// User is who accepted, "" before.
	User string
	// Terms are what is granted, or was at the end.
	Terms Terms
}

// OwnerAccount is the account that is acted for.
func (d Delegation) OwnerAccount() string { return d.Account }

// Acts reports whether somebody acts for the account by this delegation at a time.
func (d Delegation) Acts(now time.Time) bool { return d.Status == StatusActive && !d.Terms.over(now) }

// InvitationLife is how long an invitation can be accepted.
const InvitationLife = 7 * 24 * time.Hour

// Errors of this aggregate.
var (
	// ErrOutOfSight is told to nobody: who invites must not know of what is there.
	ErrOutOfSight     = errors.New("the delegation is out of sight")
	ErrMissing        = domain.Missing("delegation")
	ErrActive         = domain.Conflict("delegation_active", "This person acts for the account already; change the grant instead.")
	ErrNotActive      = domain.Conflict("delegation_over", "This delegation is over; invite the person again.")
	ErrNotInvited     = domain.Conflict("delegation_not_invited", "There is no open invitation to send again.")
	ErrInvitationOver = domain.Conflict("invitation_over", "This invitation is over; ask for another one.")
	ErrOwnAccount     = domain.Conflict("delegation_own_account", "You act for this account already.")
	ErrOwnerStays     = domain.Conflict("owner_stays", "An owner cannot leave: hand the account over, or close it.")
	ErrOtherAddress   = &domain.Error{Kind: domain.KindDenied, Code: "invitation_for_another", Detail: "This invitation is for another e-mail address; log in with the address that it was sent to."}
	ErrWider          = &domain.Error{Kind: domain.KindDenied, Code: "grant_too_wide", Detail: "You can grant, change and end only what you hold yourself, and not for longer."}
	ErrSelf           = &domain.Error{Kind: domain.KindDenied, Code: "own_grant", Detail: "You cannot change what you hold yourself."}
	ErrTooMany        = &domain.Error{Kind: domain.KindLimited, Code: "too_many_invitations", Detail: "Many invitations were sent lately: to this address, by you, or for this account. Wait as long as Retry-After says."}
)

// hiddenFrom reports whether somebody must not know of the delegation.
func (d Delegation) hiddenFrom(by Grants) bool {
	return d.Status != StatusNone && !SeesDelegation(by, d.Account, d.Terms.Scope)
}

// mayHandOn refuses who holds less than what is granted: nobody can raise
// itself by way of another.
func mayHandOn(by Grants, account string, terms Terms) error {
	if by.System || by.Accounts[account].Covers(Grant{Terms: terms}) {
		return nil
	}
	return ErrWider
}

// publicState is what the event feed shows of a delegation. What it reaches is
// not told, since its reader may see less.
type publicState struct {
	Status      Status              `json:"status"`
	User        string              `json:"user,omitempty"`
	Permissions []domain.Permission `json:"permissions,omitempty"`
	ExpiresAt   *time.Time          `json:"expires_at,omitempty"`
}

func publicTerms(s Status, user string, t Terms) publicState {
	return publicState{Status: s, User: user, Permissions: t.Permissions, ExpiresAt: t.ExpiresAt}
}
