package http_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/mailtext"
)

// contactMail is the secret of the mail that a contact gets.
func (w *world) contactMail(t testing.TB, id string) string {
	t.Helper()
	cause := uuid.New()
	if err := w.dispatcher.MailContactVerification(t.Context(), system(), cause, w.clock(), id); err != nil {
		t.Fatal(err)
	}
	secret, found, err := w.vault.MailSecret(t.Context(), commands.MessageID(cause, mailtext.ContactVerification, id))
	if err != nil || !found {
		t.Fatal("no mail was queued", err)
	}
	return secret
}

func contactJSON(email string) string {
	return fmt.Sprintf(`{"kind":"organisation","name":"Ana Souza","organisation":"Souza SARL","email":%q,"phone":"+33 (0)6 98 76 54 32",`+
		`"address":{"line1":"3 rue du Four","postal_code":"75006","city":"Paris","country":"FR"}}`, email)
}

func TestContacts(t *testing.T) {
	t.Parallel()
	s := set(t)
	base := "/v1/accounts/" + s.alice.account
	list, domainPath := base+"/contacts", base+"/domains/"+domainName
	made := s.must(t, s.alice, http.MethodPost, list, contactJSON("ana@example.net"), 201, "Idempotency-Key", "c1")
	ana := made.ID(t)
	one := list + "/" + ana
	if made.header.Get("Location") != one || made.header.Get("ETag") != `"0"` {
		t.Errorf("%v", made.header)
	}
	secret := s.contactMail(t, ana)
	owner := func(id string) string { return fmt.Sprintf(`{"owner":%q}`, id) }
	foreign := s.must(t, s.bob, http.MethodPost, "/v1/accounts/"+s.bob.account+"/contacts", contactJSON("bob@example.net"), 201).ID(t)
	s.vouch(t, foreign)
	s.Settle()
	s.play(t,
		step{"the same key makes one", s.alice, "POST", list, contactJSON("ana@example.net"), []string{"Idempotency-Key", "c1"}, 201, "", []string{ana}},
		step{"for one body", s.alice, "POST", list, contactJSON("b@example.net"), []string{"Idempotency-Key", "c1"}, 422, "idempotency_key_reused", nil},
		step{"it is shown in one form", s.alice, "GET", one, "", nil, 200, "", []string{`"phone":"+33698765432"`, `"email_verified":false`, `"status":"active"`, `"used_by":[]`}},
		step{"it is listed", s.alice, "GET", list, "", nil, 200, "", []string{ana, s.contact}},
		step{
			"every wrong field is named", s.alice, "POST", list, `{"kind":"dog","name":"","email":"x","phone":"06","address":{"line1":"","city":"","country":"XX"}}`, nil, 422, "invalid_field",
			[]string{`"field":"kind"`, `"field":"name"`, `"field":"email"`, `"field":"phone"`, `"field":"address.line1"`, `"field":"address.city"`, `"field":"address.country"`},
		},
		step{"an owner has to be verified", s.alice, "PUT", domainPath + "/contacts", owner(ana), nil, 409, "contact_not_verified", nil},
		step{"any other has not", s.alice, "PUT", domainPath + "/contacts", fmt.Sprintf(`{"owner":%q,"tech":%q}`, s.contact, ana), nil, 200, "", nil},
		step{"the link is no user's", nobody, "POST", "/v1/users/verify-email", token(secret), nil, 422, "invalid_token", nil},
		step{"nor an invitation", s.alice, "POST", "/v1/delegations/accept", token(secret), nil, 422, "invalid_token", nil},
		step{"nobody follows it", nobody, "POST", "/v1/contacts/verify-email", token(secret), nil, 204, "", nil},
		step{"once", nobody, "POST", "/v1/contacts/verify-email", token(secret), nil, 422, "invalid_token", nil},
		step{"now it may own", s.alice, "PUT", domainPath + "/contacts", fmt.Sprintf(`{"owner":%q,"billing":%q}`, ana, s.contact), []string{"Idempotency-Key", "d1"}, 200, "", nil},
		step{"said twice", s.alice, "PUT", domainPath + "/contacts", fmt.Sprintf(`{"owner":%q,"billing":%q}`, ana, s.contact), []string{"Idempotency-Key", "d1"}, 200, "", nil},
		step{"what a domain has is not archived", s.alice, "DELETE", one, "", nil, 409, "contact_in_use", []string{domainName}},
		step{"another's is none", s.alice, "PUT", domainPath + "/contacts", owner(foreign), nil, 422, "invalid_field", []string{`"field":"owner"`}},
		step{"as one that does not exist", s.alice, "PUT", domainPath + "/contacts", owner("ctc_none"), nil, 422, "invalid_field", []string{`"field":"owner"`}},
		step{"an owner is needed", s.alice, "PUT", domainPath + "/contacts", `{"owner":""}`, nil, 422, "invalid_field", nil},
		step{"bob's domain is none", s.bob, "PUT", "/v1/accounts/" + s.bob.account + "/domains/" + domainName + "/contacts", owner(foreign), nil, 404, "not_found", nil},
		step{"an old revision is refused", s.alice, "PUT", domainPath + "/contacts", owner(s.contact), []string{"If-Match", `"1"`}, 412, "stale", nil},
		step{"of a contact too", s.alice, "PATCH", one, `{"name":"Ana"}`, []string{"If-Match", `"0"`}, 412, "stale", nil},
		step{"an organisation has to be named", s.alice, "PATCH", one, `{"organisation":""}`, nil, 422, "invalid_field", []string{`"field":"organisation"`}},
		step{"another name stays verified", s.alice, "PATCH", one, `{"name":"Ana Lima"}`, nil, 200, "", nil},
		step{"the mail again does nothing", s.alice, "POST", one + "/verification", "", nil, 202, "", nil},
	)
	s.Settle()
	s.play(t,
		step{"a domain shows its contacts", s.alice, "GET", domainPath, "", nil, 200, "", []string{fmt.Sprintf(`"contacts":{"owner":%q,"admin":%q,"tech":%q,"billing":%q}`, ana, ana, ana, s.contact)}},
		step{"and a contact its domains", s.alice, "GET", one, "", nil, 200, "", []string{`"used_by":[{"id":"dom_`, `"name":"` + domainName + `"`, `"email_verified":true`, `"name":"Ana Lima"`}},
		step{"another address has to be verified", s.alice, "PATCH", one, `{"email":"ana@other.example"}`, nil, 200, "", nil},
		step{"the owner is replaced", s.alice, "PUT", domainPath + "/contacts", owner(s.contact), nil, 200, "", nil},
		step{"released, it is archived", s.alice, "DELETE", one, "", nil, 200, "", nil},
		step{"and taken no more", s.alice, "PUT", domainPath + "/contacts", fmt.Sprintf(`{"owner":%q,"tech":%q}`, s.contact, ana), nil, 409, "contact_archived", nil},
		step{"nor changed", s.alice, "PATCH", one, `{"name":"Ana"}`, nil, 409, "contact_archived", nil},
		step{"nor mailed", s.alice, "POST", one + "/verification", "", nil, 409, "contact_archived", nil},
		step{"nobody else's is mailed", s.bob, "POST", "/v1/accounts/" + s.bob.account + "/contacts/" + s.contact + "/verification", "", nil, 404, "not_found", nil},
	)
	s.Settle()
	s.play(t,
		step{"it is still read", s.alice, "GET", one, "", nil, 200, "", []string{`"status":"archived"`, `"email_verified":false`, `"used_by":[]`}},
		step{"staff read it", s.clerk, "GET", one, "", nil, 200, "", nil},
		step{"and change nothing", s.clerk, "PATCH", list + "/" + s.contact, `{"name":"x"}`, nil, 403, "denied", nil},
		step{"staff set no contacts", s.clerk, "PUT", domainPath + "/contacts", owner(s.contact), nil, 403, "denied", nil},
	)
	if a := s.must(t, s.alice, http.MethodGet, list, "", 200); len(a.items(t)) != 1 {
		t.Errorf("archived ones are listed: %s", a.body)
	}
	events := string(s.must(t, s.alice, http.MethodGet, "/v1/events?account="+s.alice.account, "", 200).body)
	for _, told := range []string{"Ana", "Souza", "ana@", "rue du Four", "698765432", "alice-secret contact", "alice-secret@"} {
		if strings.Contains(events, told) {
			t.Errorf("the feed tells %s", told)
		}
	}
	for _, fact := range []string{"contact.created.v1", "contact.amended.v1", "contact.email_verified.v1", "contact.archived.v1", "domainname.contacts_changed.v1"} {
		if !strings.Contains(events, fact) {
			t.Errorf("the feed has no %s", fact)
		}
	}
	export := string(s.must(t, s.alice, http.MethodGet, base+"/export", "", 200).body)
	for _, held := range []string{"Ana Lima", "ana@other.example", "alice-secret contact", `"domains":["dom_`} {
		if !strings.Contains(export, held) {
			t.Errorf("the export has no %s", held)
		}
	}
	if strings.Contains(export, foreign) || strings.Contains(export, "bob@example.net") {
		t.Error("the export has another account's contact")
	}
}

// TestWhoSeesContacts asks as delegates of all sorts and as API tokens.
func TestWhoSeesContacts(t *testing.T) {
	t.Parallel()
	s := set(t)
	base := "/v1/accounts/" + s.alice.account
	list, domainPath := base+"/contacts", base+"/domains/"+domainName
	one, set := list+"/"+s.contact, fmt.Sprintf(`{"owner":%q,"tech":%q}`, s.contact, s.contact)
	id := s.must(t, s.alice, http.MethodGet, domainPath, "", 200).ID(t)
	carol, dave, erin := s.member(t, "carol"), s.member(t, "dave"), s.member(t, "erin")
	_, carol = s.delegate(t, s.alice, carol, fmt.Sprintf(`"permissions":["*"],"scope":{"domains":[%q]}`, id))
	_, dave = s.delegate(t, s.alice, dave, fmt.Sprintf(`"permissions":["contacts.manage"],"scope":{"services":[%q]}`, s.service))
	_, erin = s.delegate(t, s.alice, erin, fmt.Sprintf(`"permissions":["domains.manage","contacts.manage"],"scope":{"domains":[%q]}`, id))
	s.Settle()

	s.play(t,
		step{"all about one domain is nothing about contacts", carol, "GET", list, "", nil, 403, "denied", nil},
		step{"not one", carol, "GET", one, "", nil, 403, "denied", nil},
		step{"none is made", carol, "POST", list, contactBody, nil, 403, "denied", nil},
		step{"none archived", carol, "DELETE", one, "", nil, 403, "denied", nil},
		step{"the domain is seen", carol, "GET", domainPath, "", nil, 200, "", []string{domainName}},
		step{"and not changed", carol, "PUT", domainPath + "/contacts", set, nil, 403, "denied", nil},
		step{"contacts alone are seen", dave, "GET", one, "", nil, 200, "", []string{"alice-secret contact", `"used_by":[]`}},
		step{"and no domain", dave, "PUT", domainPath + "/contacts", set, nil, 404, "not_found", nil},
		step{"its name is not told", dave, "DELETE", one, "", nil, 409, "contact_in_use", nil},
		step{"both together suffice", erin, "PUT", domainPath + "/contacts", set, nil, 200, "", nil},
		step{"and see both", erin, "GET", one, "", nil, 200, "", []string{domainName}},
	)
	for _, as := range []party{carol, dave} {
		for _, path := range []string{domainPath, base + "/domains", one, list, "/v1/events?account=" + s.alice.account, base + "/dashboard"} {
			a := s.do(t, as, http.MethodGet, path, "")
			if as.id == carol.id && strings.Contains(string(a.body), s.contact) && !strings.Contains(path, "/contacts") {
				t.Errorf("%s tells carol of the contact: %s", path, a.body)
			}
			if as.id == dave.id && strings.Contains(string(a.body), domainName) {
				t.Errorf("%s tells dave of the domain: %s", path, a.body)
			}
		}
	}
	if a := s.do(t, dave, http.MethodDelete, one, ""); strings.Contains(string(a.body), domainName) {
		t.Errorf("a refusal tells of the domain: %s", a.body)
	}

	issued := s.must(t, s.alice, http.MethodPost, base+"/api-tokens", `{"name":"robot","permissions":["contacts.manage"]}`, 201)
	robot := party{token: issued.text(t, "token"), account: s.alice.account}
	s.Settle()
	s.play(t,
		step{"a token of contacts reads them", robot, "GET", one, "", nil, 200, "", []string{"alice-secret contact", `"used_by":[]`}},
		step{"makes them", robot, "POST", list, contactBody, nil, 201, "", nil},
		step{"and sets none", robot, "PUT", domainPath + "/contacts", set, nil, 403, "denied", nil},
	)
}

// TestAUsersExportHoldsItsContacts looks for a user's own data in another
// account's contacts: only when both have proven that whoever reads the address
// is meant.
func TestAUsersExportHoldsItsContacts(t *testing.T) {
	t.Parallel()
	s := set(t)
	holds := func() bool {
		t.Helper()
		s.Settle()
		return strings.Contains(string(s.must(t, s.bob, http.MethodGet, "/v1/me/export", "", 200).body), "3 rue du Four")
	}
	id := s.must(t, s.alice, http.MethodPost, "/v1/accounts/"+s.alice.account+"/contacts", contactJSON("Bob@example.com"), 201).ID(t)
	if holds() {
		t.Error("bob is given what alice wrote of an address that nobody confirmed")
	}
	s.must(t, nobody, http.MethodPost, "/v1/contacts/verify-email", token(s.contactMail(t, id)), 204)
	if !holds() {
		t.Error("bob's export lacks it")
	}
}
