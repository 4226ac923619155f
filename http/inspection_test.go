package http_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/eventstore"
)

// looked is what the account's history says that was looked at, the newest
// first: by whom, and what.
func (s *scene) looked(t *testing.T, of party) (all [][2]string) {
	t.Helper()
	s.Settle()
	for _, a := range s.must(t, of, http.MethodGet, "/v1/accounts/"+of.account+"/history?limit=100", "", 200).items(t) {
		act, _ := a.(map[string]any)
		actor, _ := act["actor"].(map[string]any)
		if act["type"] == "inspection.looked_at.v1" {
			who, _ := actor["id"].(string)
			what, _ := act["permission"].(string)
			all = append(all, [2]string{who, what})
		}
	}
	return all
}

func TestWhatStaffLookAtIsRecordedForTheCustomer(t *testing.T) {
	t.Parallel()
	s := set(t)
	auditor, support := s.hired(t, "auditor", delegation.RoleAuditor), s.hired(t, "support", delegation.RoleSupport)
	base := "/v1/accounts/" + s.alice.account
	reads := func(who party, what ...string) (all [][2]string) {
		for _, w := range what {
			all = append(all, [2]string{who.id, w})
		}
		return all
	}
	want := s.looked(t, s.alice) // what the set-up brought
	add := func(more [][2]string) {
		t.Helper()
		slices.Reverse(more)
		want = append(more, want...)
		if got := s.looked(t, s.alice); !slices.Equal(got, want) {
			t.Fatalf("the history says\n%v, not\n%v", got, want)
		}
	}
	ask := func(who party, path string, status int) { t.Helper(); s.must(t, who, http.MethodGet, path, "", status) }

	ask(s.alice, base+"/invoices", 200) // her own
	add(nil)
	ask(auditor, base+"/invoices", 200)
	add(reads(auditor, "invoices.read"))
	ask(auditor, base+"/invoices/"+s.invoice, 200)
	ask(auditor, base+"/credit-notes", 200)
	add(nil) // the same kind of thing
	ask(support, base+"/invoices", 403)
	add(nil) // refused
	ask(auditor, base+"/history", 200)
	add(reads(auditor, "staff.users.read"))
	ask(support, base+"/dashboard", 200)
	add(reads(support, "profile.read", "services.read", "domains.read", "tickets.read"))
	ask(support, "/v1/staff/tickets/"+s.ticket, 200)
	add(nil)
	ask(auditor, "/v1/staff/accounts?q=alice", 200)
	add(reads(auditor, "profile.read"))
	ask(auditor, "/v1/audit/streams/hosting-"+s.service, 200)
	add(reads(auditor, "staff.audit"))
	ask(auditor, "/v1/events?account="+s.alice.account+"&types=ticket.opened.v1", 200)
	add(reads(auditor, "tickets.read"))
	if got := s.looked(t, s.bob); len(got) > 0 {
		t.Errorf("bob's history says %v", got)
	}
	ask(auditor, "/v1/staff/accounts", 200)
	if got := s.looked(t, s.bob); !slices.Equal(got, reads(auditor, "profile.read")) {
		t.Errorf("bob's history says %v", got)
	}

	// What is looked at while acting for the account says so.
	s.must(t, support, http.MethodPost, s.act(s.alice.account), `{"reason":"asked","consent":true}`, 201)
	ask(support, base+"/invoices", 200)
	add(reads(support, "invoices.read"))

	s.ahead.Add(int64(inspection.Window))
	ask(auditor, base+"/invoices", 200)
	add(reads(auditor, "invoices.read"))
	for r, err := range s.Store.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		m, err := eventstore.MetaOf(r)
		if err == nil && r.Type == "inspection.looked_at.v1" && m.Actor.ID == support.id && m.Permission == "invoices.read" && m.Impersonation == "" {
			t.Error("it does not say under which impersonation")
		}
	}
}

func TestWithoutARecordStaffAreToldNothing(t *testing.T) {
	t.Parallel()
	s := set(t)
	auditor := s.hired(t, "auditor", delegation.RoleAuditor)
	broken := &commandtest.Faulty{Store: s.Store}
	s.dispatcher.Store = broken
	broken.Fail(commandtest.Fault{Fails: func(string, []eventstore.NewEvent) error { return errors.New("no room") }})
	base := "/v1/accounts/" + s.alice.account
	for _, path := range []string{base, base + "/dashboard", base + "/tickets/" + s.ticket, base + "/history", "/v1/staff/accounts", "/v1/audit/events", "/v1/events"} {
		a := s.do(t, auditor, http.MethodGet, path, "")
		if told := s.leaks(a, path); a.status < 500 || len(told) > 0 {
			t.Errorf("%s answered %d, telling %v", path, a.status, told)
		}
	}
	s.must(t, s.alice, http.MethodGet, base, "", 200)
	broken.Heal()
	s.must(t, auditor, http.MethodGet, base, "", 200)
}
