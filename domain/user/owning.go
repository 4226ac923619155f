package user

import (
	"maps"
	"time"

	"github.com/hostfold/hostfold/domain"
)

// OwnershipClaimed says that the user is about to own an account. It is written
// before that fact, which is another stream's, so that this stream alone decides
// that nobody is closed who owns one: whoever closes the user sees the claim and
// looks at the account, or loses the race to it.
type OwnershipClaimed struct {
	// Account is the account, "" in the first version of the event.
	Account string `json:"account,omitempty"`
	// Transfer is the offer that the user accepts, "" when it opens the account or
	// has it again.
	Transfer string `json:"transfer,omitempty"`
	// Reopening is which of the account's closings staff undo, 0 for none.
	Reopening int `json:"reopening,omitempty"`
	// Until is when the claim is over, whatever came of it: by then the user's
	// rights tell what it owns.
	Until time.Time `json:"until"`
}

// EventType is the name on disk.
func (OwnershipClaimed) EventType() string { return "user.ownership_claimed.v3" }

func (e OwnershipClaimed) apply(u User) User {
	if e.Until.After(u.Owning[e.Account].Until) {
		u.Owning = maps.Clone(u.Owning)
		if u.Owning == nil {
			u.Owning = map[string]OwnershipClaimed{}
		}
		u.Owning[e.Account] = e
	}
	return u
}

// ErrTakesOver refuses to close whoever is about to own an account.
var ErrTakesOver = domain.Conflict("takes_over_account", "You are getting an account right now; if none is yours after all, try again in ten minutes.")

// ClaimOwnership lets a user become an account's owner, by an offer, by opening
// it, or since staff open it again, unless it is kept out: who is locked keeps
// what staff open again.
func (u User) ClaimOwnership(claim OwnershipClaimed) ([]Event, error) {
	err := u.live()
	if claim.Reopening == 0 {
		err = u.MayEnter()
	}
	if err != nil {
		return nil, err
	}
	return []Event{claim}, nil
}
