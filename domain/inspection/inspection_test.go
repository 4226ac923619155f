package inspection_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
)

func TestLookingAgainIsNoNewFact(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	invoices, tickets := inspection.Sight{Account: "acc_1", What: delegation.InvoicesRead}, inspection.Sight{Account: "acc_1", What: delegation.TicketsRead}
	others := inspection.Sight{Account: "acc_2", What: delegation.InvoicesRead}
	at := func(s inspection.Sight, now time.Time) inspection.Event {
		return inspection.LookedAt{Account: s.Account, What: s.What, At: now}
	}
	zoe := inspection.Sight{Person: "usr_1", What: delegation.StaffAudit}
	var d inspection.Day
	look := func(now time.Time, sights ...inspection.Sight) []inspection.Event {
		events := d.Look(sights, now)
		for _, e := range events {
			d = inspection.Decider.Evolve(d, e)
		}
		return events
	}
	later, last := noon.Add(inspection.Window-time.Second), noon.Add(inspection.Window)
	for _, c := range []struct {
		name      string
		got, want []inspection.Event
	}{
		{"twice at once", look(noon, invoices, invoices), []inspection.Event{at(invoices, noon)}},
		{"again", look(later, invoices), nil},
		{"at something else", look(later, invoices, tickets, others), []inspection.Event{at(tickets, later), at(others, later)}},
		{"at a person", look(later, zoe, zoe), []inspection.Event{inspection.PersonLookedAt{User: "usr_1", What: delegation.StaffAudit, At: later}}},
		{"at a person again", look(later, zoe), nil},
		{"after the window", look(last, invoices, tickets), []inspection.Event{at(invoices, last)}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
	if a, b := inspection.ID("usr_1", noon), inspection.ID("usr_1", noon.Add(12*time.Hour)); a != "usr_1.2026-01-02" || b != "usr_1.2026-01-03" {
		t.Error(a, b)
	}
}

func TestWhoIsNamed(t *testing.T) {
	t.Parallel()
	got := inspection.PersonsIn("user-usr_2", `{"by":"usr_1","also":["usr_2","acc_3"],"reader":"inspection-usr_4.2026-01-02"}`)
	if diff := cmp.Diff([]string{"usr_1", "usr_2", "usr_4"}, got); diff != "" {
		t.Error(diff)
	}
}
