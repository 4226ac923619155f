package delegation

import (
	"reflect"
	"time"

	"github.com/hostfold/hostfold/domain"
)

// GrantChanged says what is granted from now on, to a delegate or to whoever
// accepts the open invitation.
type GrantChanged struct {
	Account string `json:"account"`
	// User is the delegate, "" while the invitation is open.
	User string `json:"user,omitempty"`
	Terms
}

// EventType is the name on disk.
func (GrantChanged) EventType() string { return "delegation.grant_changed.v1" }

// Public is what is granted.
func (e GrantChanged) Public() any {
	status := StatusActive
	if e.User == "" {
		status = StatusInvited
	}
	return publicTerms(status, e.User, e.Terms)
}

func (e GrantChanged) apply(d Delegation) Delegation {
	d.Terms = e.Terms
	return d
}

// Change sets the terms. Who changes them must hold all that was granted and
// all that is.
func (d Delegation) Change(by Grants, terms Terms, now time.Time) ([]Event, error) {
	switch {
	case d.Status == StatusNone, d.hiddenFrom(by):
		return nil, ErrMissing
	case d.Status != StatusInvited && d.Status != StatusActive || d.over(now):
		return nil, ErrNotActive
	case d.User != "" && d.User == by.User:
		return nil, ErrSelf
	}
	var c domain.Check
	terms = terms.check(&c, now)
	if err := c.Err(); err != nil {
		return nil, err
	}
	for _, t := range []Terms{d.Terms, terms} {
		if err := mayHandOn(by, d.Account, t); err != nil {
			return nil, err
		}
	}
	if reflect.DeepEqual(terms, d.Terms) {
		return nil, nil
	}
	return []Event{GrantChanged{Account: d.Account, User: d.User, Terms: terms}}, nil
}
