package http_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/roster"
	staffmember "github.com/hostfold/hostfold/domain/staff"
)

func TestEachRoleHasItsOwnWork(t *testing.T) {
	t.Parallel()
	s := set(t)
	billing, support := s.hired(t, "billing", delegation.RoleBilling), s.hired(t, "support", delegation.RoleSupport)
	auditor := s.hired(t, "auditor", delegation.RoleAuditor)
	s.play(t,
		step{"billing drafts an invoice", billing, "POST", "/v1/staff/accounts/" + s.alice.account + "/invoices", invoiceBody, nil, 201, "", nil},
		step{"billing reads the payer", billing, "GET", "/v1/accounts/" + s.alice.account, "", nil, 200, "", []string{s.alice.account}},
		step{"billing sees drafts", billing, "GET", "/v1/accounts/" + s.alice.account + "/invoices/" + s.draft, "", nil, 200, "", nil},
		step{"support answers a ticket", support, "POST", "/v1/staff/tickets/" + s.ticket + "/replies", `{"message":"Done."}`, nil, 201, "", nil},
		step{"support does not write as the customer", support, "POST", "/v1/accounts/" + s.alice.account + "/tickets/" + s.ticket + "/replies", `{"message":"x"}`, nil, 403, "denied", nil},
		step{"an auditor reads raw history", auditor, "GET", "/v1/audit/streams/hosting-" + s.service, "", nil, 200, "", []string{"hosting.created.v1"}},
		step{"an auditor reads history", auditor, "GET", "/v1/accounts/" + s.alice.account + "/history", "", nil, 200, "", []string{"ticket.opened.v1"}},
		step{"an auditor sees no draft", auditor, "GET", "/v1/accounts/" + s.alice.account + "/invoices/" + s.draft, "", nil, 404, "not_found", nil},
	)
	// The feed of everybody shows each role what it reads.
	for _, f := range []struct {
		who       party
		has, lack string
	}{{billing, "invoice.issued.v1", "ticket.opened.v1"}, {support, "ticket.opened.v1", "invoice.issued.v1"}, {auditor, "ticket.opened.v1", "delegation."}} {
		feed := string(s.must(t, f.who, http.MethodGet, "/v1/events", "", 200).body)
		if !strings.Contains(feed, f.has) || strings.Contains(feed, f.lack) {
			t.Errorf("%s is shown %s", f.who.email, feed)
		}
	}
	// The history shows as much as the role reads.
	shown := string(s.must(t, support, http.MethodGet, "/v1/accounts/"+s.alice.account+"/history", "", 200).body)
	if !strings.Contains(shown, "ticket.opened.v1") || strings.Contains(shown, "invoice.") {
		t.Errorf("support is shown %s", shown)
	}
}

func TestAdminsHireAndDismiss(t *testing.T) {
	t.Parallel()
	w := begin(t)
	boss, phone := w.hire(t, "boss", delegation.RoleAdmin)
	ada, eve := w.member(t, "ada"), w.signUp(t, "eve")
	customer := w.customer(t, "zoe")
	members, invoices := "/v1/staff/members", "/v1/accounts/"+customer.account+"/invoices"
	hire := func(p party, role string) string { return `{"email":"` + p.email + `","role":"` + role + `"}` }
	w.ahead.Add(int64(vault.FreshFor)) // since the second factor was set up
	w.play(t,
		step{"without a confirmation", boss, "POST", members, hire(ada, "billing"), nil, 403, "confirmation_required", nil},
		step{"a customer", ada, "POST", members, hire(ada, "admin"), nil, 403, "denied", nil},
	)
	w.confirm(t, &boss, phone)
	w.play(t,
		step{"a role that there is not", boss, "POST", members, hire(ada, "king"), nil, 422, "invalid_field", []string{"role"}},
		step{"nobody", boss, "POST", members, `{"email":"nobody@example.com","role":"billing"}`, nil, 409, "no_such_user", nil},
		step{"an address that is not verified", boss, "POST", members, hire(eve, "billing"), nil, 409, "no_such_user", nil},
	)
	hired := w.must(t, boss, http.MethodPost, members, hire(ada, "billing"), 201)
	if hired.ID(t) != ada.id || hired.header.Get("Location") != members+"/"+ada.id {
		t.Errorf("hired %s at %s", hired.body, hired.header.Get("Location"))
	}
	w.play(t, step{"its session of before is over", ada, "GET", invoices, "", nil, 401, "", nil})
	ada = w.logIn(t, ada)
	w.play(t,
		step{"the new role without a second factor", ada, "GET", invoices, "", nil, 403, "second_factor_required", nil},
		step{"another role", boss, "POST", members, hire(ada, "support"), nil, 409, "staff_hired", nil},
	)
	w.enrol(t, ada)
	w.play(t,
		step{"the new role", ada, "GET", invoices, "", nil, 200, "", nil},
		step{"its limits", ada, "GET", members, "", nil, 403, "denied", nil},
	)
	shown := w.see(t, boss, members+"/"+ada.id, hired)
	w.Settle()
	w.play(t,
		step{"shown", boss, "GET", members + "/" + ada.id, "", nil, 200, "", []string{`"email":"ada@example.com"`, `"role":"billing"`, `"active":true`, `"second_factor":true`}},
		step{"the list", boss, "GET", members + "?limit=1", "", nil, 200, "", []string{`"email":"ada@example.com"`, `"next_cursor":"`}},
		step{"another one", boss, "GET", members + "/" + customer.id, "", nil, 404, "not_found", nil},
		step{"what was changed meanwhile", boss, "PATCH", members + "/" + ada.id, `{"role":"support"}`, []string{"If-Match", `"7"`}, 412, "stale", nil},
		step{"support", boss, "PATCH", members + "/" + ada.id, `{"role":"support"}`, []string{"If-Match", shown.header.Get("ETag")}, 200, "", nil},
		step{"no invoices any more, at once", ada, "GET", invoices, "", nil, 403, "denied", nil},
		step{"tickets, at once", ada, "GET", "/v1/staff/tickets", "", nil, 200, "", nil},
		step{"no member", boss, "PATCH", members + "/" + customer.id, `{"role":"support"}`, nil, 404, "not_found", nil},
		step{"one's own role", boss, "PATCH", members + "/" + boss.id, `{"role":"support"}`, nil, 403, "own_role", nil},
		step{"oneself", boss, "DELETE", members + "/" + boss.id, "", nil, 403, "own_role", nil},
		step{"a staff member cannot close itself", ada, "POST", "/v1/me/close", `{"password":"` + password + `"}`, nil, 409, "staff_member", nil},
		step{"nor be erased", boss, "POST", "/v1/staff/users/" + ada.id + "/erasure", "", nil, 409, "staff_member", nil},
	)
	w.play(t,
		step{"the end", boss, "DELETE", members + "/" + ada.id, "", nil, 200, "", nil},
		step{"its session, at once", ada, "GET", "/v1/me", "", nil, 401, "", nil},
		step{"the end again", boss, "DELETE", members + "/" + ada.id, "", nil, 200, "", nil},
	)
	w.Settle()
	w.play(t, step{"shown at the end", boss, "GET", members + "/" + ada.id, "", nil, 200, "", []string{`"role":"support"`, `"active":false`}})
	again := w.must(t, boss, http.MethodPost, members, hire(ada, "auditor"), 201)
	if again.ID(t) != ada.id {
		t.Errorf("hired again as %s", again.body)
	}
}

// TestWhoIsHiredLogsInAgain hires a customer with a second factor, a session
// that has shown it, and an API token.
func TestWhoIsHiredLogsInAgain(t *testing.T) {
	t.Parallel()
	w := begin(t)
	boss, bossPhone := w.hire(t, "boss", delegation.RoleAdmin)
	ada := w.customer(t, "ada")
	w.customer(t, "zoe")
	phone, _ := w.enrol(t, ada)
	_, program := w.token(t, ada, ada.account, `{"name":"x","permissions":["*"]}`)
	members, invoices := "/v1/staff/members", "/v1/accounts/"+ada.account+"/invoices"
	w.must(t, boss, http.MethodPost, members, `{"email":"ada@example.com","role":"admin"}`, 201)
	w.play(t,
		step{"the session is over", ada, "GET", "/v1/me", "", nil, 401, "", nil},
		step{"the token has what it had", program, "GET", invoices, "", nil, 200, "", nil},
		step{"no accounts of others", program, "GET", "/v1/staff/accounts", "", nil, 403, "not_for_api_tokens", nil},
		step{"no history", program, "GET", "/v1/audit/events", "", nil, 403, "not_for_api_tokens", nil},
		step{"no members", program, "GET", members, "", nil, 403, "not_for_api_tokens", nil},
	)
	const source = `"source":"/v1/accounts/`
	if feed := string(w.must(t, program, http.MethodGet, "/v1/events", "", 200).body); strings.Count(feed, source) != strings.Count(feed, source+ada.account) {
		t.Errorf("the token follows others: %s", feed)
	}
	in := w.must(t, nobody, http.MethodPost, "/v1/sessions", withTOTP(w.challenge(t, ada), phone.next(t)), 201)
	again := party{id: ada.id, token: in.text(t, "token")}
	w.play(t, step{"with the second factor", again, "GET", members, "", nil, 200, "", nil})
	w.confirm(t, &boss, bossPhone)
	w.must(t, boss, http.MethodPost, members, `{"email":"ada@example.com","role":"admin"}`, 201)
	w.play(t,
		step{"hired again, it goes on", again, "GET", members, "", nil, 200, "", nil},
		step{"staff are not locked", boss, "POST", "/v1/staff/users/" + ada.id + "/lock", `{"reason":"x"}`, nil, 409, "staff_member", nil},
	)
}

// TestTwoAdminsCannotRemoveEachOther takes both roles at once: one of them
// stays, whatever the order.
func TestTwoAdminsCannotRemoveEachOther(t *testing.T) {
	t.Parallel()
	w := begin(t)
	one, phone := w.hire(t, "one", delegation.RoleAdmin)
	two, other := w.hire(t, "two", delegation.RoleAdmin)
	w.confirm(t, &one, phone)
	w.confirm(t, &two, other)
	var wg sync.WaitGroup
	var answers [2]answer
	wg.Go(func() { answers[0] = w.do(t, one, http.MethodDelete, "/v1/staff/members/"+two.id, "") })
	wg.Go(func() { answers[1] = w.do(t, two, http.MethodPatch, "/v1/staff/members/"+one.id, `{"role":"auditor"}`) })
	wg.Wait()
	left := 0
	for _, p := range []party{one, two} {
		if m, err := commands.Load(t.Context(), w.dispatcher.Streams(), staffmember.Decider.At(p.id)); err != nil || m.Role == delegation.RoleAdmin {
			left++
		}
	}
	if left != 1 {
		t.Errorf("%d admins are left: %d %s, %d %s", left, answers[0].status, answers[0].body, answers[1].status, answers[1].body)
	}
	last := system()
	kept := one.id
	if m, _ := commands.Load(t.Context(), w.dispatcher.Streams(), staffmember.Decider.At(two.id)); m.Role == delegation.RoleAdmin {
		kept = two.id
	}
	if _, err := w.dispatcher.DeactivateStaff(t.Context(), last, commands.DeactivateStaff{MemberID: kept}); !errors.Is(err, roster.ErrLastAdmin) {
		t.Errorf("the last admin went: %v", err)
	}
}
