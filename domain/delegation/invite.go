package delegation

import (
	"time"

	"github.com/hostfold/hostfold/domain"
)

// DelegateInvited says that a person was asked to act for an account. An
// earlier invitation of the same address is void from then on.
type DelegateInvited struct {
	Account string `json:"account"`
	// Invitation is the subject of the address's key, so that it can be erased
	// without the account and without the person having a log-in.
	Invitation string    `json:"invitation"`
	Email      string    `json:"email" personal:"invitation,profile"`
	OpenUntil  time.Time `json:"open_until"`
	Terms
}

// EventType is the name on disk.
func (DelegateInvited) EventType() string { return "delegation.delegate_invited.v1" }

// Public leaves the address to the list of delegations.
func (e DelegateInvited) Public() any { return publicTerms(StatusInvited, "", e.Terms) }

func (e DelegateInvited) apply(Delegation) Delegation {
	return Delegation{
		Account: e.Account, Status: StatusInvited, Email: e.Email, Invitation: e.Invitation, OpenUntil: e.OpenUntil, Terms: e.Terms,
	}
}

// Invite asks a person, by an address that was checked, to act for the account.
// by is what the inviter holds, invitation a fresh id. Whoever has an open
// invitation gets another one, on the new terms. What the inviter must not know
// of stays as it is: the invitation needs a stream of its own.
func (d Delegation) Invite(by Grants, account, invitation, email string, terms Terms, now time.Time) ([]Event, error) {
	switch {
	case d.hiddenFrom(by):
		return nil, ErrOutOfSight
	case d.Acts(now):
		return nil, ErrActive
	}
	var c domain.Check
	terms = terms.check(&c, now)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if err := mayHandOn(by, account, terms); err != nil {
		return nil, err
	}
	if d.Status == StatusInvited {
		// The open invitation is ended by this one, so that counts as well.
		if err := mayHandOn(by, account, d.Terms); err != nil {
			return nil, err
		}
	}
	return invite(account, invitation, email, terms, now), nil
}

// Resend sends the open invitation again, under a new id: the link that was
// sent before is void.
func (d Delegation) Resend(by Grants, invitation string, now time.Time) ([]Event, error) {
	switch {
	case d.Status == StatusNone, d.hiddenFrom(by):
		return nil, ErrMissing
	case d.Status != StatusInvited:
		return nil, ErrNotInvited
	}
	if err := mayHandOn(by, d.Account, d.Terms); err != nil {
		return nil, err
	}
	return invite(d.Account, invitation, d.Email, d.Terms, now), nil
}

func invite(account, invitation, email string, terms Terms, now time.Time) []Event {
	return []Event{DelegateInvited{Account: account, Invitation: invitation, Email: email, OpenUntil: now.Add(InvitationLife), Terms: terms}}
}

// InvitationExpired says that nobody accepted in time.
type InvitationExpired struct {
	Account string `json:"account"`
}

// EventType is the name on disk.
func (InvitationExpired) EventType() string { return "delegation.invitation_expired.v1" }

// Public is the new state.
func (InvitationExpired) Public() any { return publicState{Status: StatusExpired} }

func (InvitationExpired) apply(d Delegation) Delegation {
	d.Status = StatusExpired
	return d
}
