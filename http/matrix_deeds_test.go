package http_test

import (
	"embed"
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands/vault"
)

// doneElsewhere are operations that nobody carries out in the matrix, since they
// take what a device or a mail tells: with the test that carries each out.
var doneElsewhere = map[string]string{
	"POST /v1/users/stop-factor-reset":          "TestTheAddressThatAUserLeftIsWarnedOfAReset",
	"POST /v1/password-resets/confirm":          "TestAPasswordIsResetThroughItsMail",
	"POST /v1/contacts/verify-email":            "TestContacts",
	"POST /v1/delegations/preview":              "TestAnInvitationIsReadBeforeItIsAnswered",
	"POST /v1/delegations/accept":               "TestADelegation",
	"POST /v1/delegations/decline":              "TestADelegation",
	"POST /v1/ownership-transfers/preview":      "TestAnAccountGetsAnotherOwner",
	"POST /v1/ownership-transfers/accept":       "TestAnAccountGetsAnotherOwner",
	"POST /v1/ownership-transfers/decline":      "TestAnAccountGetsAnotherOwner",
	"POST /v1/sessions/passkey-options":         "TestAPasskeyFromItsMakingToItsEnd",
	"POST /v1/me/passkeys/options":              "TestAPasskeyFromItsMakingToItsEnd",
	"POST /v1/me/confirmations/passkey-options": "TestAPasskeyFromItsMakingToItsEnd",
	"POST /v1/me/totp/disable":                  "TestOneTimeCodesFromTheSecretToTheirEnd",
	"POST /v1/me/recovery-codes":                "TestOneTimeCodesFromTheSecretToTheirEnd",
	"POST /v1/me/passkeys":                      "TestAPasskeyFromItsMakingToItsEnd",
}

// carryOut carries out what the questions left undone, each by somebody who
// holds little more than what it needs; it ends much of what alice has. Then
// there is no operation that nobody has been seen to be allowed.
func (m *matrix) carryOut(t *testing.T, everybody []*caller, documented []string) {
	t.Helper()
	now := time.Now()
	as := func(name string) party { // in a session that has proven all there is
		t.Helper()
		i := slices.IndexFunc(everybody, func(c *caller) bool { return c.name == name })
		if i < 0 {
			t.Fatalf("there is no %s", name)
		}
		p := everybody[i].party
		p.token = m.enter(t, p.id, vault.Proof{StaffRights: everybody[i].role != "", PasswordAt: &now, FactorAt: &now})
		return p
	}
	do := func(by party, route, body string) answer {
		t.Helper()
		method, path, _ := strings.Cut(strings.ReplaceAll(route, "{a}", m.alice.account), " ")
		a := m.do(t, by, method, path, body)
		if a.status >= 400 {
			t.Errorf("%s %s was not carried out: %d %s", method, path, a.status, a.body)
		}
		return a
	}
	const own, staffs = "/v1/accounts/{a}", "/v1/staff/accounts/{a}"
	owner, admin, support, billing := as("the owner"), as("staff admin, unproven false"), as("staff support, unproven false"), as("staff billing, unproven false")

	// What delegates may.
	profile, contacts, users, tickets := as("delegate profile.write"), as("delegate contacts.manage"), as("delegate users.manage"), as("delegate tickets.write")
	do(profile, "PATCH "+own, `{"name":"New"}`)
	do(profile, "PUT "+own+"/billing-identity", billingBody)
	contact := own + "/contacts/" + do(contacts, "POST "+own+"/contacts", contactBody).ID(t)
	do(contacts, "POST "+contact+"/verification", "")
	do(contacts, "PATCH "+contact, `{"name":"New"}`)
	do(contacts, "DELETE "+contact, "")
	do(as("delegate services.manage"), "PATCH "+own+"/services/"+m.service, `{"label":"new"}`)
	do(as("delegate notifications.read"), "POST "+own+"/notifications/"+m.notification+"/read", "")
	ticket := own + "/tickets/" + m.ticket
	do(tickets, "POST "+ticket+"/replies", `{"message":"new"}`)
	do(tickets, "POST "+ticket+"/close", "")
	do(tickets, "POST "+ticket+"/reopen", "")
	asked := do(users, "POST "+own+"/delegations", `{"email":"new@matrix.example","permissions":["users.manage"],"scope":{"all":true}}`)
	grant := own + "/delegations/" + asked.ID(t)
	do(users, "POST "+grant+"/resend", "")
	do(users, "PATCH "+grant, `{"expires_at":"2099-01-01T00:00:00Z"}`)
	do(users, "DELETE "+grant, "")
	all := as("delegate of everything")
	do(all, "DELETE "+own+"/api-tokens/"+do(all, "POST "+own+"/api-tokens", `{"name":"new","permissions":["*"]}`).ID(t), "")
	do(all, "POST "+own+"/leave", "")

	// What the owner alone may, and each user of itself.
	do(owner, "DELETE "+own+"/ownership-transfers/"+m.offer, "")
	do(owner, "GET "+own+"/export", "") // one at a time: of questions that are asked at once none may get it
	do(owner, "POST "+own+"/closing", "")
	do(owner, "DELETE "+own+"/closing", "")
	do(owner, "PATCH /v1/me/passkeys/"+m.passkey, `{"name":"New"}`)
	do(support, "POST "+staffs+"/impersonation", `{"reason":"x","ticket":"`+m.ticket+`"}`)
	do(support, "DELETE "+staffs+"/impersonation", "")
	do(admin, "POST /v1/staff/users/"+m.alice.id+"/factor-reset", `{"reason":"x"}`)
	do(admin, "DELETE /v1/staff/users/"+m.alice.id+"/factor-reset", "")
	do(admin, "POST /v1/staff/users/"+m.alice.id+"/factor-reset", `{"reason":"x"}`)
	do(owner, "DELETE /v1/me/factor-reset", "")
	do(owner, "DELETE /v1/me/passkeys/"+m.passkey, "")
	dora := m.member(t, "dora")
	second := m.logIn(t, dora)
	for _, open := range do(dora, "GET /v1/me/sessions", "").items(t) {
		if session, _ := open.(map[string]any); session["current"] == false {
			do(dora, "DELETE /v1/me/sessions/"+session["id"].(string), "")
		}
	}
	if a := m.do(t, second, http.MethodGet, "/v1/me", ""); a.status != http.StatusUnauthorized {
		t.Errorf("a session that was ended is answered %d", a.status)
	}
	do(dora, "PATCH /v1/me", `{"name":"New"}`)
	dora.token = do(dora, "POST /v1/me/confirmations", `{"password":"`+password+`"}`).text(t, "token")
	do(dora, "POST /v1/me/email", `{"email":"dora.new@matrix.example","password":"`+password+`"}`)
	do(dora, "POST /v1/me/password", `{"current":"`+password+`","new":"lantern gravel oyster six"}`)
	do(dora, "POST /v1/me/erasure", `{"password":"lantern gravel oyster six"}`)
	m.Settle()
	do(dora, "GET /v1/me/erasure", "")
	do(dora, "DELETE /v1/me/erasure", "")
	carol := m.signUp(t, "carol")
	do(carol, "POST /v1/me/email-verification", "")
	do(carol, "POST /v1/me/close", `{"password":"`+password+`"}`)

	// What staff may.
	do(support, "POST /v1/staff/tickets/"+m.ticket+"/replies", `{"message":"x"}`)
	do(support, "POST /v1/staff/tickets/"+m.ticket+"/close", "")
	draft := staffs + "/invoices/" + m.draft
	do(billing, "POST "+draft+"/lines", expectations()["POST /v1/staff/accounts/{account}/invoices/{id}/lines"].body)
	do(billing, "DELETE "+draft+"/lines/1", "")
	do(billing, "DELETE "+draft, "")
	do(billing, "POST "+staffs+"/invoices/"+m.invoice+"/payments", expectations()["POST /v1/staff/accounts/{account}/invoices/{id}/payments"].body)
	do(admin, "POST "+staffs+"/services/"+m.service+"/suspend", `{"reason":"overdue"}`)
	do(admin, "POST "+staffs+"/services/"+m.service+"/lift", `{"reason":"overdue"}`)
	hired := do(admin, "POST /v1/staff/members", `{"email":"`+m.member(t, "erin").email+`","role":"support"}`).ID(t)
	do(admin, "PATCH /v1/staff/members/"+hired, `{"role":"billing"}`)
	do(admin, "DELETE /v1/staff/members/"+hired, "")
	do(admin, "POST /v1/staff/users/"+dora.id+"/lock", `{"reason":"x"}`)
	do(admin, "POST /v1/staff/users/"+dora.id+"/unlock", "")
	do(admin, "POST /v1/staff/users/"+dora.id+"/legal-hold", `{"reference":"2026/17"}`)
	do(admin, "DELETE /v1/staff/users/"+dora.id+"/legal-hold", "")
	do(admin, "POST /v1/staff/users/"+dora.id+"/erasure", "")
	m.Settle()
	do(admin, "GET /v1/staff/users/"+dora.id+"/erasure", "")
	do(owner, "POST "+own+"/closing", "")
	m.answerClosing(t, m.alice.account)
	do(admin, "POST "+staffs+"/reopen", "")

	m.eachIsDone(t, documented)
}

// eachIsDone fails for an operation that has been refused to everybody.
func (m *matrix) eachIsDone(t *testing.T, documented []string) {
	t.Helper()
	var done [][]string
	m.done.Range(func(at, _ any) bool {
		done = append(done, strings.FieldsFunc(at.(string), func(r rune) bool { return r == '/' || r == ' ' }))
		return true
	})
	tests := testNames(t)
	for _, route := range documented {
		parts := strings.FieldsFunc(route, func(r rune) bool { return r == '/' || r == ' ' })
		is := func(at []string) bool {
			return slices.EqualFunc(parts, at, func(part, of string) bool { return part == of || strings.HasPrefix(part, "{") })
		}
		elsewhere, listed := doneElsewhere[route]
		switch here := slices.ContainsFunc(done, is); {
		case !here && !listed:
			t.Errorf("%s was carried out for nobody: let carryOut do it, or say in doneElsewhere which test does", route)
		case here && listed:
			t.Errorf("%s is carried out here: doneElsewhere need not have it", route)
		case listed && !tests[elsewhere]:
			t.Errorf("%s: there is no test %s", route, elsewhere)
		}
	}
}

//go:embed *_test.go
var testFiles embed.FS

// testNames are the names of the tests of this package.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	files, err := fs.Glob(testFiles, "*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
	for _, file := range files {
		text, err := testFiles.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range declared.FindAllSubmatch(text, -1) {
			names[string(found[1])] = true
		}
	}
	return names
}
