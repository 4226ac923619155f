package roster_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/roster"
)

func TestThereIsAlwaysAnAdmin(t *testing.T) {
	t.Parallel()
	add := func(user string) func(roster.Roster) ([]roster.Event, error) {
		return func(r roster.Roster) ([]roster.Event, error) { return r.Add(user) }
	}
	remove := func(user string) func(roster.Roster) ([]roster.Event, error) {
		return func(r roster.Roster) ([]roster.Event, error) { return r.Remove(user) }
	}
	c := domaintest.For(t, roster.Decider)
	c.When(remove("usr_1")).Refused(roster.ErrLastAdmin)
	one := c.When(add("usr_1")).Then(roster.AdminAdded{User: "usr_1"})
	one.When(add("usr_1")).ThenNothing()
	one.When(remove("usr_1")).Refused(roster.ErrLastAdmin)
	one.When(remove("usr_who_was_not_counted")).ThenNothing()
	two := one.When(add("usr_2")).Then(roster.AdminAdded{User: "usr_2"})
	left := two.When(remove("usr_1")).Then(roster.AdminRemoved{User: "usr_1"})
	left.When(remove("usr_2")).Refused(roster.ErrLastAdmin)
}
