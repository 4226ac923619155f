package http_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/eventstore"
)

func (s *scene) act(account string) string { return "/v1/staff/accounts/" + account + "/impersonation" }

func TestStaffActForACustomerWhoSeesIt(t *testing.T) {
	t.Parallel()
	s := set(t)
	mails := s.post(t)
	support, phone := s.hire(t, "support", delegation.RoleSupport)
	mine, base := s.act(s.alice.account), "/v1/accounts/"+s.alice.account
	because := fmt.Sprintf(`{"reason":"alice-secret certificate","ticket":%q,"minutes":20}`, s.ticket)
	reply := base + "/tickets/" + s.ticket + "/replies"
	s.ahead.Add(int64(vault.FreshFor))
	s.play(t, step{"without a confirmation", support, "POST", mine, because, nil, 403, "confirmation_required", nil})
	s.confirm(t, &support, phone)
	s.play(t,
		step{"before", support, "POST", reply, `{"message":"x"}`, nil, 403, "denied", nil},
		step{"nothing to read", support, "GET", mine, "", nil, 404, "not_found", nil},
		step{"nothing to end", support, "DELETE", mine, "", nil, 404, "not_found", nil},
		step{"no reason", support, "POST", mine, `{"reason":" ","consent":true}`, nil, 422, "invalid_field", []string{`"field":"reason"`}},
		step{"neither ticket nor consent", support, "POST", mine, `{"reason":"x"}`, nil, 422, "invalid_field", []string{`"field":"ticket"`}},
		step{"too long", support, "POST", mine, `{"reason":"x","consent":true,"minutes":61}`, nil, 422, "invalid_field", []string{`"field":"minutes"`}},
		step{"a ticket of nobody", support, "POST", mine, `{"reason":"x","ticket":"tkt_none"}`, nil, 422, "invalid_field", []string{`"field":"ticket"`}},
		step{"another's ticket", support, "POST", s.act(s.bob.account), because, nil, 422, "invalid_field", []string{`"field":"ticket"`}},
		step{"no account", support, "POST", s.act("acc_none"), `{"reason":"x","consent":true}`, nil, 404, "not_found", nil},
	)
	begun := s.must(t, support, http.MethodPost, mine, because, 201, "Idempotency-Key", "once")
	id := begun.ID(t)
	if again := s.must(t, support, http.MethodPost, mine, because, 201, "Idempotency-Key", "once"); again.ID(t) != id {
		t.Errorf("the repeat began %s", again.body)
	}
	other := party{token: s.must(t, nobody, http.MethodPost, "/v1/sessions", withTOTP(s.challenge(t, party{email: "support@example.com"}), phone.next(t)), 201).text(t, "token")}
	s.play(t,
		step{"it is told", support, "GET", mine, "", nil, 200, "", []string{`"reason":"alice-secret certificate"`, s.ticket, `"until":"`, id}},
		step{"it acts", support, "POST", reply, `{"message":"For you."}`, nil, 201, "", nil},
		step{"it reads what the role does not", support, "GET", base + "/invoices/" + s.invoice, "", nil, 200, "", nil},
		step{"in no other session", other, "POST", reply, `{"message":"x"}`, nil, 403, "denied", nil},
		step{"for no other account", support, "POST", "/v1/accounts/" + s.bob.account + "/tickets", ticketBody, nil, 403, "denied", nil},
		step{"for no second account", support, "POST", s.act(s.bob.account), `{"reason":"x","consent":true}`, nil, 409, "impersonation_on", nil},
		step{"no users", support, "POST", base + "/delegations", `{"email":"eve@example.com","permissions":["*"],"scope":{"all":true}}`, nil, 403, "impersonation_out_of_reach", nil},
		step{"no API tokens", support, "POST", base + "/api-tokens", `{"name":"x","permissions":["*"]}`, nil, 403, "impersonation_out_of_reach", nil},
		step{"no list of them", support, "GET", base + "/api-tokens", "", nil, 403, "impersonation_out_of_reach", nil},
		step{"nothing of the owner's alone", support, "GET", base + "/export", "", nil, 403, "impersonation_out_of_reach", nil},
		step{"not who owns a domain", support, "PUT", base + "/domains/" + domainName + "/contacts", `{"owner":"` + s.contact + `"}`, nil, 403, "impersonation_out_of_reach", nil},
		step{"nor who the contact is", support, "PATCH", base + "/contacts/" + s.contact, `{"email":"thief@example.com"}`, nil, 403, "impersonation_out_of_reach", nil},
		step{"nor another contact", support, "POST", base + "/contacts", contactBody, nil, 403, "impersonation_out_of_reach", nil},
		step{"but it reads them", support, "GET", base + "/contacts/" + s.contact, "", nil, 200, "", nil},
		step{"not where invoices go", support, "PUT", base + "/billing-identity", billingBody, nil, 403, "impersonation_out_of_reach", nil},
		step{"nor what mail comes", support, "PATCH", base, `{"communication":{"services":false}}`, nil, 403, "impersonation_out_of_reach", nil},
		step{"no warning is marked as read", support, "POST", base + "/notifications/read-all", "", nil, 403, "impersonation_out_of_reach", nil},
		step{"nor is the account closed", support, "POST", base + "/closing", "", nil, 403, "impersonation_out_of_reach", nil},
		step{"its own accounts are its own", support, "GET", "/v1/me/accounts", "", nil, 200, "", []string{`"items":[]`}},
	)
	for m := ""; !strings.Contains(m, "Our support is acting on your account"); { // others are about the set-up
		if m = mails.next(t, s.alice.email); strings.Contains(m, "Our support is acting") && !strings.Contains(m, "alice-secret certificate") {
			t.Errorf("the mail is %s", m)
		}
	}
	s.play(t,
		step{"no end of what it has not seen", support, "DELETE", mine, "", []string{"If-Match", `"5"`}, 412, "", nil},
		step{"so it acts on", support, "POST", reply, `{"message":"For you, too."}`, nil, 201, "", nil},
		step{"the end", support, "DELETE", mine, "", nil, 200, "", nil},
		step{"then", support, "POST", reply, `{"message":"x"}`, nil, 403, "denied", nil},
		step{"the end again", support, "DELETE", mine, "", nil, 404, "not_found", nil},
	)
	s.Settle()
	history := s.must(t, s.alice, http.MethodGet, base+"/history", "", 200)
	for _, a := range history.items(t) {
		act, _ := a.(map[string]any)
		actor, _ := act["actor"].(map[string]any)
		switch act["type"] {
		case "ticket.customer_replied.v1", "impersonation.started.v1", "impersonation.ended.v1":
			under, _ := act["impersonation"].(map[string]any)
			if actor["kind"] != "staff" || actor["id"] != support.id || act["on_behalf_of"] != s.alice.account || under["id"] != id || under["reason"] != "alice-secret certificate" {
				t.Errorf("the history says %v", act)
			}
			if _, named := actor["name"]; named {
				t.Errorf("a staff member is named: %v", act)
			}
		}
	}
	for _, fact := range []string{"impersonation.started.v1", "impersonation.ended.v1", `"role":"impersonator"`} {
		if !strings.Contains(string(history.body), fact) {
			t.Errorf("%s is not in the history", fact)
		}
	}
	feed := string(s.must(t, s.alice, http.MethodGet, "/v1/events?account="+s.alice.account, "", 200).body)
	if !strings.Contains(feed, `"reason":"alice-secret certificate"`) {
		t.Errorf("the feed says %s", feed)
	}
	bell := string(s.must(t, s.alice, http.MethodGet, base+"/notifications", "", 200).body)
	if !strings.Contains(bell, "Our support is acting on your account") {
		t.Errorf("under the bell: %s", bell)
	}
}

func TestAnImpersonationEndsByItself(t *testing.T) {
	t.Parallel()
	s := set(t)
	boss, bossPhone := s.hire(t, "boss", delegation.RoleAdmin)
	read := "/v1/accounts/" + s.alice.account + "/tickets"
	began := func(p party) string {
		t.Helper()
		return s.must(t, p, http.MethodPost, s.act(s.alice.account), `{"reason":"asked by phone","consent":true}`, 201).ID(t)
	}
	ended := func(id string) impersonation.By {
		t.Helper()
		var by impersonation.By
		for r, err := range s.Store.ReadStream(t.Context(), "impersonation-"+id, 0) {
			if err != nil {
				t.Fatal(err)
			}
			e, m, err := s.Codec.Decode(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if fact, ok := e.(impersonation.Ended); ok {
				by = fact.By
				if m.Account != s.alice.account {
					t.Errorf("the end is %s's", m.Account)
				}
			}
		}
		return by
	}

	// By its time, whenever that is noted.
	one, _ := s.hire(t, "one", delegation.RoleSupport)
	id := began(one)
	s.play(t, step{"on", one, "POST", read, ticketBody, nil, 201, "", nil})
	s.ahead.Add(int64(impersonation.Usual))
	s.play(t, step{"over", one, "POST", read, ticketBody, nil, 403, "denied", nil})
	if by := ended(id); by != "" {
		t.Errorf("noted already: %s", by)
	}
	if err := s.dispatcher.ExpireImpersonation(t.Context(), system(), id); err != nil || ended(id) != impersonation.ByTime {
		t.Errorf("%v, ended by %s", err, ended(id))
	}

	// By the log-out.
	two, _ := s.hire(t, "two", delegation.RoleSupport)
	id = began(two)
	s.must(t, two, http.MethodDelete, "/v1/sessions/current", "", 204)
	if by := ended(id); by != impersonation.ByLogOut {
		t.Errorf("ended by %q", by)
	}

	// By the end of the role; a narrower role is enough to lose it.
	three, _ := s.hire(t, "three", delegation.RoleSupport)
	id = began(three)
	s.confirm(t, &boss, bossPhone)
	s.must(t, boss, http.MethodPatch, "/v1/staff/members/"+three.id, `{"role":"billing"}`, 200)
	s.play(t, step{"with another role", three, "POST", read, ticketBody, nil, 403, "denied", nil})
	s.must(t, boss, http.MethodDelete, "/v1/staff/members/"+three.id, "", 200)
	if by := ended(id); by != impersonation.ByDismissal {
		t.Errorf("ended by %q", by)
	}
	s.play(t, step{"nobody now", three, "GET", "/v1/me", "", nil, 401, "", nil})

	// By the end of the account.
	four, _ := s.hire(t, "four", delegation.RoleSupport)
	bobs := "/v1/accounts/" + s.bob.account
	id = s.must(t, four, http.MethodPost, s.act(s.bob.account), `{"reason":"asked by phone","consent":true}`, 201).ID(t)
	s.must(t, s.logIn(t, s.bob), http.MethodPost, bobs+"/closing", "", 202)
	s.play(t, step{"it goes on while that is asked for", four, "GET", bobs + "/invoices", "", nil, 200, "", nil})
	s.answerClosing(t, s.bob.account)
	s.play(t,
		step{"then the role alone is left", four, "GET", bobs + "/invoices", "", nil, 403, "denied", nil},
		step{"nor can it begin", four, "POST", s.act(s.bob.account), `{"reason":"x","consent":true}`, nil, 409, "account_closed", nil},
	)
	closed := s.bob.account
	for r, err := range s.Store.ReadStream(t.Context(), "impersonation-"+id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, m, err := s.Codec.Decode(t.Context(), r)
		if fact, ok := e.(impersonation.Ended); err != nil || ok && (fact.By != impersonation.ByClosing || m.Account != closed) {
			t.Errorf("ended by %+v for %s, %v", e, m.Account, err)
		} else if ok {
			closed = "" // seen
		}
	}
	if closed != "" {
		t.Error("no end was written")
	}
}

// TestABrokenStartLeavesNoRightsThatHaveEnded has the vault fail when it is to let
// a session act: the end is written when the rights are gone for sure.
func TestABrokenStartLeavesNoRightsThatHaveEnded(t *testing.T) {
	t.Parallel()
	s := set(t)
	fails := func(each string) {
		t.Helper()
		if _, err := s.DB.Exec(t.Context(), `
			CREATE OR REPLACE FUNCTION vault.away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'away' USING ERRCODE = '57P01'; END $$;
			CREATE OR REPLACE TRIGGER away BEFORE UPDATE OF impersonation ON vault.session FOR EACH `+each+` EXECUTE FUNCTION vault.away()`); err != nil {
			t.Fatal(err)
		}
	}
	facts := func(p party) (all []string) {
		t.Helper()
		for r, err := range s.Store.ReadAll(t.Context(), eventstore.Start) {
			if err != nil {
				t.Fatal(err)
			}
			if m, err := eventstore.MetaOf(r); err == nil && strings.HasPrefix(r.Type, "impersonation.") && m.Actor.ID == p.id {
				all = append(all, r.Type)
			}
		}
		return all
	}
	mine, because := s.act(s.alice.account), `{"reason":"asked by phone","consent":true}`
	one, two := s.hired(t, "one", delegation.RoleSupport), s.hired(t, "two", delegation.RoleSupport)
	fails(`ROW WHEN (NEW.impersonation <> '')`)
	s.must(t, one, http.MethodPost, mine, because, 503)
	if got := facts(one); !slices.Equal(got, []string{"impersonation.started.v1", "impersonation.ended.v1"}) {
		t.Errorf("without rights the log says %v", got)
	}
	fails(`STATEMENT`) // it cannot be told whether a session acts
	s.must(t, two, http.MethodPost, mine, because, 503)
	if got := facts(two); !slices.Equal(got, []string{"impersonation.started.v1"}) {
		t.Errorf("with rights, for all that is known, the log says %v", got)
	}
}
