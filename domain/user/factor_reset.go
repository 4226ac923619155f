package user

import (
	"time"

	"github.com/hostfold/hostfold/domain"
)

// FactorResetWait is how long a reset of second factors waits before it takes
// effect, so that the user hears of one that it never asked for.
const FactorResetWait = 24 * time.Hour

// FactorReset is the reset of every second factor that waits for its time.
type FactorReset struct {
	// ID is "" when there is none.
	ID string
	// Due is when it takes effect.
	Due time.Time
}

// FactorResetRequested says that staff made sure that the user lost every
// second factor: they are removed when the time has come, unless somebody
// cancels that.
type FactorResetRequested struct {
	Reset string `json:"reset"`
	// Reason is how staff made sure of it; the user is not told of it, but finds it
	// in its export.
	Reason        string    `json:"reason" personal:"self,profile"`
	TakesEffectAt time.Time `json:"takes_effect_at"`
}

// EventType is the name on disk.
func (FactorResetRequested) EventType() string { return "user.factor_reset_requested.v1" }

func (e FactorResetRequested) apply(u User) User {
	u.Reset = FactorReset{ID: e.Reset, Due: e.TakesEffectAt}
	return u
}

// RequestFactorReset begins a reset that takes effect after a wait.
func (u User) RequestFactorReset(reset, reason string, now time.Time, wait time.Duration) ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	var c domain.Check
	e := FactorResetRequested{Reset: reset, Reason: c.Line("reason", reason, 300), TakesEffectAt: now.Add(wait)}
	switch err := c.Err(); {
	case err != nil:
		return nil, err
	case !u.HasSecondFactor():
		return nil, ErrNoFactorToReset
	case u.Reset.ID != "":
		return nil, ErrResetWaits
	}
	return []Event{e}, nil
}

// ResetFactorsNow is a reset without a wait, by who runs the system.
func (u User) ResetFactorsNow(reset, reason string, now time.Time) ([]Event, error) {
	u.Reset = FactorReset{} // one that waits is overtaken
	events, err := u.RequestFactorReset(reset, reason, now, 0)
	if err != nil {
		return nil, err
	}
	return append(events, FactorsReset{Reset: reset}), nil
}

// Canceller is how a reset was cancelled.
type Canceller string

// A reset is cancelled by the mailed link, by a second factor that was shown
// and so was never lost, by the user in a session, or by staff.
const (
	CancelledByLink   Canceller = "link"
	CancelledByFactor Canceller = "factor"
	CancelledByUser   Canceller = "user"
	CancelledByStaff  Canceller = "staff"
)

// FactorResetCancelled says that the second factors stay.
type FactorResetCancelled struct {
	Reset string    `json:"reset"`
	By    Canceller `json:"by"`
}

// EventType is the name on disk.
func (FactorResetCancelled) EventType() string { return "user.factor_reset_cancelled.v1" }

func (FactorResetCancelled) apply(u User) User {
	u.Reset = FactorReset{}
	return u
}

// CancelFactorReset stops the reset that waits; an id of "" is whichever does.
func (u User) CancelFactorReset(reset string, by Canceller) ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	if u.Reset.ID == "" || reset != "" && u.Reset.ID != reset {
		return nil, ErrNoReset
	}
	return []Event{FactorResetCancelled{Reset: u.Reset.ID, By: by}}, nil
}

// FactorsReset says that every second factor of the user is removed: the
// password alone logs in.
type FactorsReset struct {
	// Reset is the reset that was carried out, "" when who reads the mail of an
	// address has taken over what a stranger may have set up, or not let it go on.
	Reset string `json:"reset"`
}

// EventType is the name on disk.
func (FactorsReset) EventType() string { return "user.factors_reset.v1" }

func (FactorsReset) apply(u User) User {
	u.TOTP, u.PendingTOTP, u.Passkeys, u.Recovery, u.Reset = "", "", nil, Recovery{}, FactorReset{}
	return u
}

// ResetFactors carries a reset out whose time has come. One that was cancelled
// or overtaken needs nothing.
func (u User) ResetFactors(reset string, now time.Time) ([]Event, error) {
	switch {
	case !u.Exists(), u.IsClosed, u.Reset.ID == "", u.Reset.ID != reset:
		return nil, nil
	case now.Before(u.Reset.Due):
		return nil, domain.Conflict("factor_reset_early", "The reset has not waited long enough.")
	}
	return []Event{FactorsReset{Reset: reset}}, nil
}

// Refusals about resets.
var (
	ErrNoFactorToReset = domain.Conflict("second_factor_off", "The user has no second factor: its password alone logs in.")
	ErrResetWaits      = domain.Conflict("factor_reset_waiting", "A reset waits already.")
	ErrNoReset         = domain.Conflict("no_factor_reset", "No reset waits: it was cancelled, or has taken effect.")
)
