// Package roster counts the admins, so that there is always one: a rule over
// all staff members that the stream of one cannot keep. There is one roster.
//
// An admin is on it after it was made one, and is taken off before it stops
// being one: a crash between the two leaves an admin who is not counted, never
// one who is counted and is none. Making it an admin again counts it.
package roster

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
)

// ID is that of the one roster.
const ID = "admins"

// Event is a fact about the roster.
type Event interface {
	domain.Event
	apply(Roster) Roster
}

// Target is the roster.
type Target = domain.Target[Roster, Event]

// Decider folds the roster's facts.
var Decider = domain.Decider[Roster, Event]{
	Category: "roster",
	Evolve:   func(r Roster, e Event) Roster { return e.apply(r) },
	Types:    []domain.Type{domain.TypeOf[AdminAdded](), domain.TypeOf[AdminRemoved]()},
}

// Roster is who is counted as an admin, by user id.
type Roster struct {
	Admins []string
}

// ErrLastAdmin says that nobody would be left to look after the staff.
var ErrLastAdmin = domain.Conflict("last_admin", "This is the last admin; make another staff member one first.")

// AdminAdded says that a user counts as an admin.
type AdminAdded struct {
	User string `json:"user"`
}

// EventType is the name on disk.
func (AdminAdded) EventType() string { return "roster.admin_added.v1" }

func (e AdminAdded) apply(r Roster) Roster {
	return Roster{Admins: append(slices.Clip(r.Admins), e.User)}
}

// Add counts an admin.
func (r Roster) Add(user string) ([]Event, error) {
	if slices.Contains(r.Admins, user) {
		return nil, nil
	}
	return []Event{AdminAdded{User: user}}, nil
}

// AdminRemoved says that a user counts as an admin no more.
type AdminRemoved struct {
	User string `json:"user"`
}

// EventType is the name on disk.
func (AdminRemoved) EventType() string { return "roster.admin_removed.v1" }

func (e AdminRemoved) apply(r Roster) Roster {
	return Roster{Admins: slices.DeleteFunc(slices.Clone(r.Admins), func(user string) bool { return user == e.User })}
}

// Remove takes a user off who is about to stop being an admin, unless nobody
// else is on the roster.
func (r Roster) Remove(user string) ([]Event, error) {
	switch on := slices.Contains(r.Admins, user); {
	case on && len(r.Admins) == 1, len(r.Admins) == 0:
		return nil, ErrLastAdmin
	case !on:
		return nil, nil
	}
	return []Event{AdminRemoved{User: user}}, nil
}
