package user

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
)

// MaxPasskeys is how many passkeys a user may have.
const MaxPasskeys = 20

// Passkey is a key pair of the user whose private half is in a device (W3C Web
// Authentication).
type Passkey struct {
	// ID is that of the vault row with the public key.
	ID   string
	Name string
	// Suspect is true once there may be a copy of it.
	Suspect bool
	// With is the credential that was current when it was added.
	With string
}

// PasskeyAdded says that the user made a passkey: it logs in with it alone, or
// after the password as the second factor.
type PasskeyAdded struct {
	// Passkey is the id of the vault row with the public key.
	Passkey string `json:"passkey"`
	// Name is what the user calls it.
	Name string `json:"name" personal:"self,profile"`
}

// EventType is the name on disk.
func (PasskeyAdded) EventType() string { return "user.passkey_added.v1" }

func (e PasskeyAdded) apply(u User) User {
	u.Passkeys = append(slices.Clip(u.Passkeys), Passkey{ID: e.Passkey, Name: e.Name, With: u.Credential})
	return u
}

// LogInAlone are the passkeys that log in without the password. While the address
// is not proven whole they are those that came with the password of now: one from
// before a reset may be of a stranger who registered the address.
func (u User) LogInAlone() []Passkey {
	if u.Proven() {
		return u.Passkeys
	}
	return slices.DeleteFunc(slices.Clone(u.Passkeys), func(p Passkey) bool { return p.With != u.Credential })
}

// AddPasskey takes the vault's row passkey for the user's. If it is the first
// second factor, recovery codes come with it: the vault's row codes.
func (u User) AddPasskey(passkey, name, codes string) ([]Event, error) {
	if err := u.MayEnter(); err != nil {
		return nil, err
	}
	var c domain.Check
	e := PasskeyAdded{Passkey: passkey, Name: c.Line("name", name, 100)}
	switch err := c.Err(); {
	case err != nil:
		return nil, err
	case len(u.Passkeys) >= MaxPasskeys:
		return nil, ErrManyPasskeys
	case u.HasSecondFactor():
		return []Event{e}, nil
	}
	return []Event{e, u.newCodes(codes)}, nil
}

// PasskeyRenamed says what the user calls a passkey from now on.
type PasskeyRenamed struct {
	Passkey string `json:"passkey"`
	Name    string `json:"name" personal:"self,profile"`
}

// EventType is the name on disk.
func (PasskeyRenamed) EventType() string { return "user.passkey_renamed.v1" }

func (e PasskeyRenamed) apply(u User) User {
	u.Passkeys = slices.Clone(u.Passkeys)
	for i := range u.Passkeys {
		if u.Passkeys[i].ID == e.Passkey {
			u.Passkeys[i].Name = e.Name
		}
	}
	return u
}

// RenamePasskey gives a passkey another name of 1 to 100 characters; the one
// that it has needs nothing.
func (u User) RenamePasskey(passkey, name string) ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(u.Passkeys, func(p Passkey) bool { return p.ID == passkey })
	if i < 0 {
		return nil, ErrNoPasskey
	}
	var c domain.Check
	e := PasskeyRenamed{Passkey: passkey, Name: c.Line("name", name, 100)}
	if err := c.Err(); err != nil || e.Name == u.Passkeys[i].Name {
		return nil, err
	}
	return []Event{e}, nil
}

// PasskeyRemoved says that a passkey opens nothing any more.
type PasskeyRemoved struct {
	Passkey string `json:"passkey"`
}

// EventType is the name on disk.
func (PasskeyRemoved) EventType() string { return "user.passkey_removed.v1" }

func (e PasskeyRemoved) apply(u User) User {
	u.Passkeys = slices.DeleteFunc(slices.Clone(u.Passkeys), func(p Passkey) bool { return p.ID == e.Passkey })
	return u.withoutIdleCodes()
}

// RemovePasskey takes a passkey away. With the last factor the recovery codes
// go, too.
func (u User) RemovePasskey(passkey string) ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	if !u.HasPasskey(passkey) {
		return nil, ErrNoPasskey
	}
	return []Event{PasskeyRemoved{Passkey: passkey}}, nil
}

// PasskeyCopySuspected says that a passkey's counter did not go on: somebody may
// have a copy of it. It is said once of each passkey.
type PasskeyCopySuspected struct {
	Passkey string `json:"passkey"`
}

// EventType is the name on disk.
func (PasskeyCopySuspected) EventType() string { return "user.passkey_copy_suspected.v1" }

func (e PasskeyCopySuspected) apply(u User) User {
	u.Passkeys = slices.Clone(u.Passkeys)
	for i := range u.Passkeys {
		u.Passkeys[i].Suspect = u.Passkeys[i].Suspect || u.Passkeys[i].ID == e.Passkey
	}
	return u
}

// SuspectPasskey notes that there may be a copy of a passkey. What was said
// before needs nothing, so that who has one cannot write without end.
func (u User) SuspectPasskey(passkey string) ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	for _, p := range u.Passkeys {
		if p.ID == passkey && !p.Suspect {
			return []Event{PasskeyCopySuspected{Passkey: passkey}}, nil
		}
	}
	return nil, nil
}

// HasPasskey reports whether a passkey is the user's.
func (u User) HasPasskey(id string) bool {
	return slices.ContainsFunc(u.Passkeys, func(p Passkey) bool { return p.ID == id })
}

// Refusals about passkeys.
var (
	ErrManyPasskeys = domain.Conflict("too_many_passkeys", "You have 20 passkeys; remove one first.")
	ErrNoPasskey    = domain.Missing("passkey")
)
