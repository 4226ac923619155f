// Package inspection holds what staff, auditors among them, and the command line
// looked at of customers: whose, and what kind of thing, never what it said.
// There is one stream for each reader and day.
//
// Looking again at the same kind of thing within Window is no new fact, so that
// readers cannot write events without limit. It is written before the reader is
// answered (commands.Witness).
package inspection

import (
	"regexp"
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Event is a fact about a reader's day.
type Event interface {
	domain.Event
	apply(Day) Day
}

// Target is one reader's day.
type Target = domain.Target[Day, Event]

// Decider folds the facts of a day.
var Decider = domain.Decider[Day, Event]{
	Category: "inspection",
	Evolve:   func(d Day, e Event) Day { return e.apply(d) },
	Types: []domain.Type{
		domain.PublicTypeOf[LookedAt](delegation.UsersManage),
		domain.TypeOf[PersonLookedAt](),
	},
}

// Everybody stands for every account in what reads all of history at once: one
// fact, which the histories of all show that were there by then.
const Everybody = "*"

// ID is that of a reader's day in UTC.
func ID(reader string, now time.Time) string {
	return reader + "." + now.UTC().Format(time.DateOnly)
}

// Window is how long looking again at the same kind of thing is no new fact.
const Window = 15 * time.Minute

// Sight is a kind of thing that a reader looks at: that for which a permission
// is needed, of an account or, of what no account owns, of a person.
type Sight struct {
	Account, Person string
	What            domain.Permission
}

// person is what the id of a user looks like.
var person = regexp.MustCompile(`usr_[0-9A-Za-z]+`)

// PersonsIn are the users that a text names by their ids, each once.
func PersonsIn(texts ...string) []string {
	var found []string
	for _, text := range texts {
		found = append(found, person.FindAllString(text, -1)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Day is what a reader looked at on one day, and when last.
type Day struct{ seen map[Sight]time.Time }

// LookedAt says that the reader was shown things of an account.
type LookedAt struct {
	Account string `json:"account"`
	// What is the permission that these things need: invoices.read, for
	// instance.
	What domain.Permission `json:"what"`
	At   time.Time         `json:"at"`
}

// EventType is the name on disk.
func (LookedAt) EventType() string { return "inspection.looked_at.v1" }

// Public is the kind of thing.
func (e LookedAt) Public() any {
	return struct {
		What domain.Permission `json:"what"`
	}{e.What}
}

// About is whose things were looked at, and what that needed.
func (e LookedAt) About() (account string, needed domain.Permission) { return e.Account, e.What }

func (e LookedAt) apply(d Day) Day { return d.saw(Sight{Account: e.Account, What: e.What}, e.At) }

func (d Day) saw(s Sight, at time.Time) Day {
	if d.seen == nil {
		d.seen = map[Sight]time.Time{}
	}
	d.seen[s] = at
	return d
}

// PersonLookedAt says that the reader was shown what the log holds of a user and
// no account owns: log-in, work as staff, requests about its data. The user, and
// of staff the admins, see it.
type PersonLookedAt struct {
	User string `json:"user"`
	// What is the permission that it needs: staff.audit.
	What domain.Permission `json:"what"`
	At   time.Time         `json:"at"`
}

// EventType is the name on disk.
func (PersonLookedAt) EventType() string { return "inspection.person_looked_at.v1" }

func (e PersonLookedAt) apply(d Day) Day { return d.saw(Sight{Person: e.User, What: e.What}, e.At) }

// Look notes what the reader is about to be shown, as far as that is new.
func (d Day) Look(sights []Sight, now time.Time) []Event {
	var events []Event
	noted := map[Sight]bool{}
	for _, s := range sights {
		last, seen := d.seen[s]
		if noted[s] || seen && now.Sub(last) < Window {
			continue
		}
		noted[s] = true
		if s.Person != "" {
			events = append(events, PersonLookedAt{User: s.Person, What: s.What, At: now})
			continue
		}
		events = append(events, LookedAt{Account: s.Account, What: s.What, At: now})
	}
	return events
}
