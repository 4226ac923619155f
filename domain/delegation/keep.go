package delegation

import "time"

// Kept says that a former owner acts for the account as a delegate: it had
// asked for that when it offered the account, and the new owner agreed.
type Kept struct {
	Account string `json:"account"`
	// Invitation is the subject of the address's key, as of who was invited.
	Invitation string `json:"invitation"`
	Email      string `json:"email" personal:"invitation,profile"`
	User       string `json:"user"`
	Terms
}

// EventType is the name on disk.
func (Kept) EventType() string { return "delegation.kept.v1" }

// Public leaves the address to the list of delegations.
func (e Kept) Public() any { return publicTerms(StatusActive, e.User, e.Terms) }

func (e Kept) apply(Delegation) Delegation {
	return Delegation{
		Account: e.Account, Status: StatusActive, Email: e.Email, Invitation: e.Invitation, User: e.User, Terms: e.Terms,
	}
}

// Keep makes a former owner a delegate, once: nothing when that was done,
// whatever came of it since, or when its time is over by now. The delegation is
// that of one hand-over. Invitation is a fresh id.
func (d Delegation) Keep(account, invitation, email, user string, terms Terms, now time.Time) ([]Event, error) {
	if d.Status != StatusNone || terms.over(now) {
		return nil, nil
	}
	return []Event{Kept{Account: account, Invitation: invitation, Email: email, User: user, Terms: terms}}, nil
}
