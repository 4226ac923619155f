package roster_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/roster"
)

var noon = time.Date(2026, time.March, 10, 12, 0, 0, 0, time.UTC)

func TestThereIsAlwaysAnAdmin(t *testing.T) {
	t.Parallel()
	add := func(user string) func(roster.Roster) ([]roster.Event, error) {
		return func(r roster.Roster) ([]roster.Event, error) { return r.Add(user, 1, noon) }
	}
	remove := func(user string) func(roster.Roster) ([]roster.Event, error) {
		return func(r roster.Roster) ([]roster.Event, error) { return r.Remove(user, 1, noon.Add(time.Minute)) }
	}
	removed := func(user string) roster.AdminRemoved {
		return roster.AdminRemoved{User: user, After: 1, Until: noon.Add(time.Minute)}
	}
	c := domaintest.For(t, roster.Decider)
	c.When(remove("usr_1")).Refused(roster.ErrLastAdmin)
	one := c.When(add("usr_1")).Then(roster.AdminAdded{User: "usr_1"})
	one.When(add("usr_1")).ThenNothing()
	one.When(remove("usr_1")).Refused(roster.ErrLastAdmin)
	two := one.When(add("usr_2")).Then(roster.AdminAdded{User: "usr_2"})
	left := two.When(remove("usr_1")).Then(removed("usr_1"))
	left.When(remove("usr_2")).Refused(roster.ErrLastAdmin)
}

func TestWhoLeavesIsNotCountedByWhoSawItBefore(t *testing.T) {
	t.Parallel()
	add := func(facts int, at time.Time) func(roster.Roster) ([]roster.Event, error) {
		return func(r roster.Roster) ([]roster.Event, error) { return r.Add("usr_1", facts, at) }
	}
	remove := func(r roster.Roster) ([]roster.Event, error) { return r.Remove("usr_1", 2, noon.Add(time.Minute)) }
	// It was made an admin a moment ago and is not on the roster yet.
	leaves := domaintest.For(t, roster.Decider).Given(roster.AdminAdded{User: "usr_2"}).When(remove).
		Then(roster.AdminRemoved{User: "usr_1", After: 2, Until: noon.Add(time.Minute)})
	leaves.When(add(2, noon)).ThenNothing()
	leaves.When(add(4, noon)).Then(roster.AdminAdded{User: "usr_1"})                  // it was made one again
	leaves.When(add(2, noon.Add(time.Minute))).Then(roster.AdminAdded{User: "usr_1"}) // the removal came to nothing
	domaintest.For(t, roster.Decider).Given(roster.AdminAdded{User: "usr_2"}, roster.AdminRemoved{User: "usr_1"}).
		When(add(1, noon)).Then(roster.AdminAdded{User: "usr_1"}) // one of the first version
}
