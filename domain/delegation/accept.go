package delegation

import "time"

// InvitationAccepted says that the invited person acts for the account from
// now on.
type InvitationAccepted struct {
	Account string `json:"account"`
	User    string `json:"user"`
	Terms
}

// EventType is the name on disk.
func (InvitationAccepted) EventType() string { return "delegation.invitation_accepted.v1" }

// Public is the new state.
func (e InvitationAccepted) Public() any { return publicTerms(StatusActive, e.User, e.Terms) }

func (e InvitationAccepted) apply(d Delegation) Delegation {
	d.Status, d.User, d.Terms = StatusActive, e.User, e.Terms
	return d
}

// Accept makes the user a delegate. The caller has checked that the user was
// shown this invitation and has its address. holds is true for whoever acts
// for the account already.
func (d Delegation) Accept(invitation, user string, holds bool, now time.Time) ([]Event, error) {
	switch {
	case d.Status == StatusActive && d.Invitation == invitation && d.User == user:
		return nil, nil
	case !d.Offers(invitation, now):
		return nil, ErrInvitationOver
	case holds:
		return nil, ErrOwnAccount
	}
	return []Event{InvitationAccepted{Account: d.Account, User: user, Terms: d.Terms}}, nil
}

// Offers reports whether an invitation can be accepted at a time.
func (d Delegation) Offers(invitation string, now time.Time) bool {
	return d.Status == StatusInvited && d.Invitation == invitation && now.Before(d.OpenUntil) && !d.Terms.over(now)
}

// InvitationDeclined says that the invited person does not want to.
type InvitationDeclined struct {
	Account string `json:"account"`
}

// EventType is the name on disk.
func (InvitationDeclined) EventType() string { return "delegation.invitation_declined.v1" }

// Public is the new state.
func (InvitationDeclined) Public() any { return publicState{Status: StatusDeclined} }

func (InvitationDeclined) apply(d Delegation) Delegation {
	d.Status = StatusDeclined
	return d
}

// Decline turns an invitation down.
func (d Delegation) Decline(invitation string, now time.Time) ([]Event, error) {
	switch {
	case d.Status == StatusDeclined && d.Invitation == invitation:
		return nil, nil
	case d.Invitation != invitation || d.Status != StatusInvited || !now.Before(d.OpenUntil):
		return nil, ErrInvitationOver
	}
	return []Event{InvitationDeclined{Account: d.Account}}, nil
}
