// Package roster counts the admins, so that there is always one: a rule over
// all staff members that the stream of one cannot keep. There is one roster.
//
// An admin is on it after it was made one, and is taken off before it stops
// being one: a crash between the two leaves an admin who is not counted, never
// one who is counted and is none. Making it an admin again counts it, once the
// removal is over. Who is taken off while another request is about to put it on
// stays off: the removal says as of which of the member's facts it is.
package roster

import (
	"maps"
	"slices"
	"time"

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
	Types:    []domain.Type{domain.TypeOf[AdminAdded](), domain.TypeOf[AdminRemoved]().Since("roster.admin_removed.v1")},
}

// Roster is who is counted as an admin, by user id.
type Roster struct {
	Admins []string
	// Leaving are the last removals, by user id.
	Leaving map[string]AdminRemoved
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
	r.Admins = append(slices.Clip(r.Admins), e.User)
	return r
}

// Add counts a user who is an admin after so many facts of its stream as a
// staff member, unless it is about to be none.
func (r Roster) Add(user string, facts int, now time.Time) ([]Event, error) {
	gone, leaves := r.Leaving[user]
	if slices.Contains(r.Admins, user) || leaves && gone.After >= facts && now.Before(gone.Until) {
		return nil, nil
	}
	return []Event{AdminAdded{User: user}}, nil
}

// AdminRemoved says that a user counts as an admin no more. It is written, too,
// for who was not counted yet, so that whoever is about to count it loses the
// race.
type AdminRemoved struct {
	User string `json:"user"`
	// After is how many facts the user's stream as a staff member had: the next
	// one ends that it is an admin, before Until or never.
	After int       `json:"after,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// EventType is the name on disk.
func (AdminRemoved) EventType() string { return "roster.admin_removed.v2" }

func (e AdminRemoved) apply(r Roster) Roster {
	r.Admins = slices.DeleteFunc(slices.Clone(r.Admins), func(user string) bool { return user == e.User })
	leaving := make(map[string]AdminRemoved, len(r.Leaving)+1)
	maps.Copy(leaving, r.Leaving)
	leaving[e.User] = e
	r.Leaving = leaving
	return r
}

// Remove takes a user off who is about to stop being an admin, unless nobody
// else is on the roster. The user's stream as a staff member has so many facts,
// and gets the next one until a time, or never.
func (r Roster) Remove(user string, facts int, until time.Time) ([]Event, error) {
	others := slices.DeleteFunc(slices.Clone(r.Admins), func(on string) bool { return on == user })
	if len(others) == 0 {
		return nil, ErrLastAdmin
	}
	return []Event{AdminRemoved{User: user, After: facts, Until: until}}, nil
}
