package user

import (
	"time"

	"github.com/hostfold/hostfold/domain"
)

// HiringClaimed says that the user is about to become a staff member. It is
// written before that fact, which is another stream's, so that this stream
// alone decides what must not happen to staff: whoever closes or locks the user
// sees the claim, or loses the race to it.
type HiringClaimed struct {
	// After is how many facts the member's stream had when the user was claimed:
	// the claim is for the next one, and over once that has come.
	After int `json:"after"`
	// Until is when the claim is over if that fact never comes.
	Until time.Time `json:"until"`
}

// EventType is the name on disk.
func (HiringClaimed) EventType() string { return "user.hiring_claimed.v1" }

func (e HiringClaimed) apply(u User) User {
	u.Hiring = e
	return u
}

// ClaimHiring lets a user become a staff member, unless it is kept out, or may
// be a stranger who registered the address of another. The member's stream has
// so many facts by now.
func (u User) ClaimHiring(facts int, until time.Time) ([]Event, error) {
	if err := u.MayEnter(); err != nil {
		return nil, err
	}
	if !u.Proven() {
		return nil, ErrNotProven
	}
	return []Event{HiringClaimed{After: facts, Until: until}}, nil
}

// IsStaff reports whether the user is a staff member or about to be one. member
// and facts are whether it is one, and how many facts its stream as such has, as
// read after this user's facts.
func (u User) IsStaff(member bool, facts int, now time.Time) bool {
	return member || u.Hiring.After >= facts && now.Before(u.Hiring.Until)
}

// ErrNotProven says that who reads the mail of the user's address has not shown
// to know the password.
var ErrNotProven = domain.Conflict("email_not_proven",
	"Somebody else may have registered this address: the person logs in and follows the link of its verification mail, or sets a password by mail, then is hired.")
