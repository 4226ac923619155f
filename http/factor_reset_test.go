package http_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain/user"
)

var stopLink = regexp.MustCompile(`http://portal\.test/portal/stop-reset#([A-Za-z0-9_-]+)`)

// stops is the secret of the next mail to an address that warns of a reset.
func (p *post) stops(t *testing.T, to string) string {
	t.Helper()
	for {
		if found := stopLink.FindStringSubmatch(p.next(t, to)); found != nil {
			return found[1]
		}
	}
}

// passes lets the time of a reset come and does what its job does then.
func (w *world) passes(t *testing.T, id, reset string) {
	t.Helper()
	w.ahead.Add(int64(24 * time.Hour))
	if err := w.dispatcher.FinishFactorReset(t.Context(), system(), id, reset); err != nil {
		t.Fatal(err)
	}
}

const seen = `{"reason":"seen with papers at the counter"}`

func TestAUserWhoLostEveryFactorGetsBackAfterADay(t *testing.T) {
	t.Parallel()
	w := begin(t)
	mails := w.post(t)
	ada := w.signUp(t, "ada")
	mails.secret(t, ada.email)
	w.must(t, ada, http.MethodPost, "/v1/me/email", `{"email":"ada@example.org","password":"`+password+`"}`, 202)
	w.must(t, ada, http.MethodPost, "/v1/users/verify-email", fmt.Sprintf(`{"token":%q}`, mails.secret(t, "ada@example.org")), 204)
	w.enrol(t, ada)
	ada.email = "ada@example.org"
	clerk, path := w.staff(t), "/v1/staff/users/"+ada.id+"/factor-reset"
	w.play(t,
		step{"without a reason", clerk, "POST", path, `{"reason":" "}`, nil, 422, "invalid_field", []string{`"field":"reason"`}},
		step{"of nobody", clerk, "POST", "/v1/staff/users/usr_none/factor-reset", seen, nil, 404, "not_found", nil},
		step{"of staff", clerk, "POST", "/v1/staff/users/" + clerk.id + "/factor-reset", seen, nil, 409, "staff_factors", nil},
		step{"by the user itself", ada, "POST", path, seen, nil, 403, "denied", nil},
		step{"nothing to cancel", clerk, "DELETE", path, "", nil, 409, "no_factor_reset", nil},
	)
	w.Settle()
	w.play(t,
		step{"found by the whole address", clerk, "GET", "/v1/staff/users?q=ADA@example.org", "", nil, 200, "", []string{`"id":"` + ada.id + `"`, `"totp":true`, `"staff":false`}},
		step{"and not by the one before", clerk, "GET", "/v1/staff/users?q=ada@example.com", "", nil, 200, "", []string{`"items":[]`}},
		step{"nor by a part", clerk, "GET", "/v1/staff/users?q=ada", "", nil, 200, "", []string{`"items":[]`}},
		step{"nor by nothing", clerk, "GET", "/v1/staff/users", "", nil, 200, "", []string{`"items":[]`}},
		step{"by its id", clerk, "GET", "/v1/staff/users/" + ada.id, "", nil, 200, "", []string{`"email":"ada@example.org"`}},
		step{"staff are told as such", clerk, "GET", "/v1/staff/users/" + clerk.id, "", nil, 200, "", []string{`"staff":true`}},
		step{"a customer finds nobody", ada, "GET", "/v1/staff/users?q=ada@example.org", "", nil, 403, "denied", nil},
	)
	asked := w.must(t, clerk, http.MethodPost, path, seen, 200, "Idempotency-Key", "one")
	if again := w.must(t, clerk, http.MethodPost, path, seen, 200, "Idempotency-Key", "one"); string(again.body) != string(asked.body) {
		t.Errorf("again: %s, not %s", again.body, asked.body)
	}
	w.play(t, step{"another", clerk, "POST", path, seen, nil, 409, "factor_reset_waiting", nil})
	// Every address that the user had lately hears of it.
	mails.stops(t, "ada@example.org")
	if me := w.see(t, ada, "/v1/me", asked); !strings.Contains(string(me.body), `"factor_reset":{"status":"waiting"`) || strings.Contains(string(me.body), "counter") {
		t.Errorf("shown as %s", me.body)
	}
	reset := asked.text(t, "id")
	if err := w.dispatcher.FinishFactorReset(t.Context(), system(), ada.id, reset); err == nil {
		t.Error("it takes effect before its time")
	}
	if a := w.must(t, nobody, http.MethodPost, "/v1/sessions", passwordBody(ada), 401); a.code(t) != "second_factor_required" {
		t.Errorf("before the time: %s", a.body)
	}
	w.passes(t, ada.id, reset)
	w.play(t,
		step{"the session of before", ada, "GET", "/v1/me", "", nil, 401, "unauthenticated", nil},
		step{"the password alone", nobody, "POST", "/v1/sessions", passwordBody(ada), nil, 201, "", nil},
	)
	mails.says(t, ada.email, "Your second factors were removed")
	ada = w.logIn(t, ada)
	if me := w.see(t, ada, "/v1/me", w.must(t, ada, http.MethodPatch, "/v1/me", `{"name":"Ada L."}`, 200)); !strings.Contains(string(me.body), `"second_factor":false,`) || !strings.Contains(string(me.body), `"factor_reset":{"status":"done"`) {
		t.Errorf("shown as %s", me.body)
	}
}

func TestTheAddressThatAUserLeftIsWarnedOfAReset(t *testing.T) {
	t.Parallel()
	w := begin(t)
	mails := w.post(t)
	ada := w.signUp(t, "ada")
	mails.secret(t, ada.email)
	w.must(t, ada, http.MethodPost, "/v1/me/email", `{"email":"ada@example.org","password":"`+password+`"}`, 202)
	w.must(t, ada, http.MethodPost, "/v1/users/verify-email", fmt.Sprintf(`{"token":%q}`, mails.secret(t, "ada@example.org")), 204)
	w.enrol(t, ada)
	clerk, path := w.staff(t), "/v1/staff/users/"+ada.id+"/factor-reset"
	reset := w.must(t, clerk, http.MethodPost, path, seen, 200).text(t, "id")
	secret := fmt.Sprintf(`{"token":%q}`, mails.stops(t, "ada@example.com"))
	w.play(t,
		step{"a wrong link", nobody, "POST", "/v1/users/stop-factor-reset", `{"token":"x"}`, nil, 422, "invalid_token", nil},
		step{"its link for something else", nobody, "POST", "/v1/users/verify-email", secret, nil, 422, "invalid_token", nil},
		step{"its link", nobody, "POST", "/v1/users/stop-factor-reset", secret, nil, 204, "", nil},
		step{"its link again", nobody, "POST", "/v1/users/stop-factor-reset", secret, nil, 422, "invalid_token", nil},
	)
	w.passes(t, ada.id, reset)
	if a := w.must(t, nobody, http.MethodPost, "/v1/sessions", fmt.Sprintf(`{"email":"ada@example.org","password":%q}`, password), 401); a.code(t) != "second_factor_required" {
		t.Errorf("after it was stopped: %s", a.body)
	}
}

func TestWhoIsHiredMeanwhileIsNotReset(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.member(t, "ada")
	w.enrol(t, ada)
	clerk := w.staff(t)
	reset := w.must(t, clerk, http.MethodPost, "/v1/staff/users/"+ada.id+"/factor-reset", seen, 200).text(t, "id")
	w.must(t, clerk, http.MethodPost, "/v1/staff/members", `{"email":"ada@example.com","role":"admin"}`, 201)
	w.passes(t, ada.id, reset)
	u, err := commands.Load(t.Context(), w.dispatcher.Streams(), user.Decider.At(ada.id))
	if err != nil || u.Reset.ID != "" || !u.HasSecondFactor() {
		t.Errorf("a staff member was reset: %+v, %v", u.Reset, err)
	}
}

func TestAFactorThatIsShownStopsTheReset(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.signUp(t, "ada")
	phone, codes := w.enrol(t, ada)
	clerk, path := w.staff(t), "/v1/staff/users/"+ada.id+"/factor-reset"
	for name, stop := range map[string]func(){
		"a log-in with a recovery code": func() {
			w.must(t, nobody, http.MethodPost, "/v1/sessions", withRecovery(w.challenge(t, ada), codes[0]), 201)
		},
		"a confirmation": func() {
			w.confirm(t, &ada, phone)
		},
		"the user in a session": func() { w.must(t, ada, http.MethodDelete, "/v1/me/factor-reset", "", 200) },
		"staff":                 func() { w.must(t, clerk, http.MethodDelete, path, "", 200) },
	} {
		reset := w.must(t, clerk, http.MethodPost, path, seen, 200).text(t, "id")
		stop()
		u, err := commands.Load(t.Context(), w.dispatcher.Streams(), user.Decider.At(ada.id))
		if err != nil || u.Reset.ID != "" || !u.HasSecondFactor() {
			t.Errorf("%s does not stop it: %+v, %v", name, u.Reset, err)
		}
		w.play(t, step{name + ": cancelled before", clerk, "DELETE", path, "", nil, 409, "no_factor_reset", nil})
		if events, err := u.ResetFactors(reset, time.Now().Add(48*time.Hour)); err != nil || len(events) != 0 {
			t.Errorf("%s: %v, %v", name, events, err)
		}
	}
}

func TestAResetNeedsStaffThatHasProvenItselfLately(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.signUp(t, "ada")
	w.enrol(t, ada)
	clerk, path := w.staff(t), "/v1/staff/users/"+ada.id+"/factor-reset"
	w.ahead.Add(int64(vault.FreshFor))
	w.play(t, step{"long after the log-in", clerk, "POST", path, seen, nil, 403, "confirmation_required", nil})
}

func TestTheMachineGivesStaffTheirWayBack(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada, clerk := w.signUp(t, "ada"), w.staff(t)
	w.enrol(t, ada)
	reset := func(id string) error {
		_, err := w.dispatcher.ResetStaffFactors(t.Context(), system(), commands.ResetStaffFactors{UserID: id, Reason: "phone lost"})
		return err
	}
	if err := reset(ada.id); err == nil {
		t.Error("a customer's factors go without a warning")
	}
	if err := reset(clerk.id); err != nil {
		t.Fatal(err)
	}
	w.play(t, step{"the session of before", clerk, "GET", "/v1/me", "", nil, 401, "unauthenticated", nil})
	again := w.logIn(t, clerk)
	phone, _ := w.enrol(t, again)
	w.must(t, nobody, http.MethodPost, "/v1/sessions", withTOTP(w.challenge(t, clerk), phone.next(t)), 201)
}
