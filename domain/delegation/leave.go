package delegation

// Left says that the delegate gave its rights up.
type Left struct {
	Account string `json:"account"`
	User    string `json:"user"`
}

// EventType is the name on disk.
func (Left) EventType() string { return "delegation.left.v1" }

// Public is the new state.
func (e Left) Public() any { return publicState{Status: StatusLeft, User: e.User} }

func (Left) apply(d Delegation) Delegation {
	d.Status = StatusLeft
	return d
}

// Leave gives up what a user holds as a delegate; what is over needs nothing. It
// is another's to nobody else.
func (d Delegation) Leave(user string) ([]Event, error) {
	switch {
	case user == "" || d.User != user:
		return nil, ErrMissing
	case d.Status != StatusActive:
		return nil, nil
	}
	return []Event{Left{Account: d.Account, User: user}}, nil
}
