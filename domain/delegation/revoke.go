package delegation

import "time"

// Revoked says that the delegate no longer acts for the account, or that the
// invitation was withdrawn.
type Revoked struct {
	Account string `json:"account"`
	// User is who was the delegate, "" for an invitation.
	User string `json:"user,omitempty"`
}

// EventType is the name on disk.
func (Revoked) EventType() string { return "delegation.revoked.v1" }

// Public is the new state.
func (e Revoked) Public() any { return publicState{Status: StatusRevoked, User: e.User} }

func (Revoked) apply(d Delegation) Delegation {
	d.Status = StatusRevoked
	return d
}

// Revoke ends the delegation or withdraws the invitation; one that is over
// needs nothing.
func (d Delegation) Revoke(by Grants) ([]Event, error) {
	if d.hiddenFrom(by) {
		return nil, ErrMissing
	}
	switch d.Status {
	case StatusNone:
		return nil, ErrMissing
	case StatusRevoked, StatusDeclined, StatusExpired, StatusLeft:
		return nil, nil
	case StatusInvited, StatusActive:
	}
	if d.User != "" && d.User == by.User {
		return nil, ErrSelf
	}
	if err := mayHandOn(by, d.Account, d.Terms); err != nil {
		return nil, err
	}
	return []Event{Revoked{Account: d.Account, User: d.User}}, nil
}

// Expired says that the delegation's time is over. Nobody had the rights any
// more from that time on, whenever this was written.
type Expired struct {
	Account string `json:"account"`
	User    string `json:"user"`
}

// EventType is the name on disk.
func (Expired) EventType() string { return "delegation.expired.v1" }

// Public is the new state.
func (e Expired) Public() any { return publicState{Status: StatusExpired, User: e.User} }

func (Expired) apply(d Delegation) Delegation {
	d.Status = StatusExpired
	return d
}

// Expire notes what has run out by now; nothing when nothing has.
func (d Delegation) Expire(now time.Time) ([]Event, error) {
	switch {
	case d.over(now):
		return []Event{Expired{Account: d.Account, User: d.User}}, nil
	case d.Status == StatusInvited && (!now.Before(d.OpenUntil) || d.Terms.over(now)):
		return []Event{InvitationExpired{Account: d.Account}}, nil
	}
	return nil, nil
}

// over reports whether the delegate's time has run out.
func (d Delegation) over(now time.Time) bool { return d.Status == StatusActive && d.Terms.over(now) }

func (t Terms) over(now time.Time) bool { return t.ExpiresAt != nil && !now.Before(*t.ExpiresAt) }
