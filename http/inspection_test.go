package http_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/commands"
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
	ask(s.clerk, "/v1/staff/users/"+s.alice.id, 200)
	add(nil) // a person's, and no account's
	if own := string(s.must(t, s.alice, http.MethodGet, "/v1/me/inspections", "", 200).body); !strings.Contains(own, `"what":"login"`) {
		t.Errorf("alice is told %s", own)
	}
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

// TestWhatIsReadOfAPersonIsRecordedForThatPerson reads streams that no account
// owns.
func TestWhatIsReadOfAPersonIsRecordedForThatPerson(t *testing.T) {
	t.Parallel()
	w := begin(t)
	auditor, boss, ada, eve := w.hired(t, "auditor", delegation.RoleAuditor), w.hired(t, "boss", delegation.RoleAdmin), w.member(t, "ada"), w.member(t, "eve")
	looked := func(at string, by party) (all [][2]string) {
		t.Helper()
		w.Settle()
		for _, item := range w.must(t, by, http.MethodGet, at, "", 200).items(t) {
			row, _ := item.(map[string]any)
			who, _ := row["reader"].(string)
			what, _ := row["what"].(string)
			all = append(all, [2]string{who, what})
		}
		return all
	}
	own, member := "/v1/me/inspections", "/v1/staff/members/"+boss.id+"/inspections"
	expect := func(name, at string, by party, want ...[2]string) {
		t.Helper()
		if got := looked(at, by); !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", name, got, want)
		}
	}
	by := [2]string{auditor.id, "history"}
	w.must(t, auditor, http.MethodGet, "/v1/audit/streams/user-"+ada.id, "", 200)
	w.must(t, auditor, http.MethodGet, "/v1/audit/streams/user-"+ada.id+"?limit=1", "", 200) // again
	w.must(t, auditor, http.MethodGet, "/v1/audit/streams/staff-"+boss.id, "", 200)
	expect("a customer's log-in", own, ada, by)
	expect("another's", own, eve)
	expect("a staff member", own, boss, by)
	expect("a staff member, for admins", member, boss, by)
	w.must(t, auditor, http.MethodGet, "/v1/audit/events?type=user.registered.v2", "", 200)
	expect("a search", own, eve, by)
	w.play(t,
		step{"the list of another", ada, "GET", member, "", nil, 403, "denied", nil},
		step{"a cursor of another list", ada, "GET", own + "?cursor=x", "", nil, 422, "invalid_field", nil},
		step{"a customer is no member", boss, "GET", "/v1/staff/members/" + ada.id + "/inspections", "", nil, 404, "not_found", nil},
	)
	// What the command line reads of one, and of all; in clear, too.
	tell := func(what, account string, sights ...inspection.Sight) {
		t.Helper()
		call := system()
		if err := w.dispatcher.RecordReading(t.Context(), call, sights); err != nil {
			t.Fatal(err)
		}
		call = system()
		call.Account = account
		if _, err := commands.Execute(t.Context(), w.dispatcher, call, commands.StartDecryption{What: what}); err != nil {
			t.Fatal(err)
		}
	}
	tell("user-"+eve.id, "", inspection.Sight{Person: eve.id, What: delegation.StaffAudit})
	expect("by the command line", own, eve, [2]string{"test", "history_in_clear"}, [2]string{"test", "history"}, by)
	zoe := w.customer(t, "zoe")
	tell("all", inspection.Everybody, inspection.Sight{Account: inspection.Everybody, What: delegation.StaffAudit})
	late := w.customer(t, "late")
	all := [][2]string{{"test", "history_in_clear"}, {"test", "history"}}
	expect("all, of one", own, ada, append(slices.Clone(all), by)...)
	expect("all, of who came later", own, late)
	told := func(p party) string {
		t.Helper()
		return string(w.must(t, p, http.MethodGet, "/v1/accounts/"+p.account+"/history", "", 200).body)
	}
	for _, fact := range []string{"audit.decryption_started.v1", "inspection.looked_at.v1"} {
		if strings.Count(told(zoe), fact) != 1 || strings.Contains(told(late), fact) {
			t.Errorf("of %s the histories say %s and %s", fact, told(zoe), told(late))
		}
	}
	if page := w.must(t, zoe, http.MethodGet, "/v1/accounts/"+zoe.account+"/history?limit=2", "", 200); len(page.items(t)) != 2 || page.text(t, "next_cursor") == "" {
		t.Errorf("the first page is %s", page.body)
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
