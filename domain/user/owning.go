package user

import (
	"time"

	"github.com/hostfold/hostfold/domain"
)

// OwnershipClaimed says that the user is about to own an account. It is written
// before that fact, which is another stream's, so that this stream alone decides
// that nobody is closed who owns one: whoever closes the user sees the claim, or
// loses the race to it.
type OwnershipClaimed struct {
	// Transfer is the offer that the user accepts.
	Transfer string `json:"transfer"`
	// Until is when the claim is over, whatever came of it: by then the user's
	// rights tell what it owns.
	Until time.Time `json:"until"`
}

// EventType is the name on disk.
func (OwnershipClaimed) EventType() string { return "user.ownership_claimed.v1" }

func (e OwnershipClaimed) apply(u User) User {
	if e.Until.After(u.Owning) {
		u.Owning = e.Until
	}
	return u
}

// ErrTakesOver refuses to close whoever has lately accepted an account.
var ErrTakesOver = domain.Conflict("takes_over_account", "You have just accepted an account; if it is not yours after all, try again in ten minutes.")

// ClaimOwnership lets a user become an account's owner, unless it is kept out.
func (u User) ClaimOwnership(transfer string, until time.Time) ([]Event, error) {
	if err := u.MayEnter(); err != nil {
		return nil, err
	}
	return []Event{OwnershipClaimed{Transfer: transfer, Until: until}}, nil
}
