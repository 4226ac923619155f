package user

import "github.com/hostfold/hostfold/domain"

// Locked says that staff keep the user out until it is unlocked.
type Locked struct {
	Reason string `json:"reason" personal:"self,profile"`
}

// EventType is the name on disk.
func (Locked) EventType() string { return "user.locked.v1" }

func (Locked) apply(u User) User {
	u.IsLocked = true
	return u
}

// Lock keeps the user out; its sessions end with it.
func (u User) Lock(reason string) ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	var c domain.Check
	e := Locked{Reason: c.Line("reason", reason, 300)}
	if err := c.Err(); err != nil || u.IsLocked {
		return nil, err
	}
	return []Event{e}, nil
}

// Unlocked says that the user may log in again.
type Unlocked struct{}

// EventType is the name on disk.
func (Unlocked) EventType() string { return "user.unlocked.v1" }

func (Unlocked) apply(u User) User {
	u.IsLocked = false
	return u
}

// Unlock lets a locked user in again.
func (u User) Unlock() ([]Event, error) {
	if err := u.live(); err != nil || !u.IsLocked {
		return nil, err
	}
	return []Event{Unlocked{}}, nil
}

// Closed says that the user is no more: it cannot log in, and its address is
// free again.
type Closed struct{}

// EventType is the name on disk.
func (Closed) EventType() string { return "user.closed.v1" }

func (Closed) apply(u User) User {
	u.IsClosed = true
	return u
}

// Close ends the user for good, unless it owns an account that is open, or takes
// one over right now.
func (u User) Close(ownsAccounts, takesOver bool) ([]Event, error) {
	switch {
	case !u.Exists():
		return nil, ErrMissing
	case u.IsClosed:
		return nil, nil
	case u.IsLocked:
		return nil, ErrLocked
	case ownsAccounts:
		return nil, ErrOwnsAccounts
	case takesOver:
		return nil, ErrTakesOver
	}
	return []Event{Closed{}}, nil
}

// CloseErased ends a user that is erased, locked or not; one that is closed
// needs nothing.
func (u User) CloseErased() ([]Event, error) {
	if !u.Exists() || u.IsClosed {
		return nil, nil
	}
	return []Event{Closed{}}, nil
}
