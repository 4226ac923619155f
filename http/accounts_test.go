package http_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/eventstore"
)

const billingBody = `{"kind":"company","name":"Alice SARL","company_number":"732 829 320","vat_number":"FR44732829320","country":"FR",` +
	`"address":{"line1":"1 rue de la Paix","postal_code":"75002","city":"Paris"},"email":"compta@example.com"}`

func TestTheBillingIdentity(t *testing.T) {
	t.Parallel()
	s := set(t)
	base := "/v1/accounts/" + s.alice.account
	path := base + "/billing-identity"
	_, reader := s.delegate(t, s.alice, s.member(t, "carol"), `"permissions":["profile.read"],"scope":{"all":true}`)
	s.play(t, step{"before, it is the profile", s.alice, "GET", path, "", nil, 200, "", []string{`"name":"alice"`, `"source":"profile"`}})
	set := s.must(t, s.alice, http.MethodPut, path, billingBody, 200)
	shown := s.see(t, s.alice, path, set)
	for _, want := range []string{`"name":"Alice SARL"`, `"company_number":"732829320"`, `"vat_number":"FR44732829320"`, `"city":"Paris"`, `"source":"billing_identity"`} {
		if !strings.Contains(string(shown.body), want) {
			t.Errorf("no %s in %s", want, shown.body)
		}
	}
	if shown.header.Get("ETag") != set.header.Get("ETag") {
		t.Errorf("the ETags are %s and %s", shown.header.Get("ETag"), set.header.Get("ETag"))
	}
	s.play(t,
		step{"the account shows it", s.alice, "GET", base, "", nil, 200, "", []string{`"billing_identity":{"kind":"company","name":"Alice SARL"`}},
		step{"the profile's reader reads it", reader, "GET", path, "", nil, 200, "", []string{"Alice SARL"}},
		step{"and does not write it", reader, "PUT", path, billingBody, nil, 403, "denied", nil},
		step{"nor does staff", s.clerk, "PUT", path, billingBody, nil, 403, "denied", nil},
		step{"slips are named", s.alice, "PUT", path, strings.Replace(billingBody, "732 829 320", "732 829 321", 1), nil, 422, "invalid_field", []string{`"field":"company_number"`, `"reason":"siren"`}},
		step{"the kind is one of two", s.alice, "PUT", path, strings.Replace(billingBody, "company", "club", 1), nil, 422, "", []string{"kind"}},
		step{"what was seen is changed", s.alice, "PUT", path, billingBody, []string{"If-Match", `"0"`}, 412, "stale", nil},
		step{"an issued invoice stays as it was", s.alice, "GET", base + "/invoices/" + s.invoice, "", nil, 200, "", []string{`"buyer":{"name":"alice","kind":"individual"`}},
	)
	s.must(t, s.clerk, http.MethodPost, "/v1/staff/accounts/"+s.alice.account+"/invoices/"+s.draft+"/issue", "", 200)
	s.Settle()
	issued := s.must(t, s.alice, http.MethodGet, base+"/invoices/"+s.draft, "", 200)
	if !strings.Contains(string(issued.body), `"buyer":{"name":"Alice SARL","kind":"company"`) || !strings.Contains(string(issued.body), `"company_number":"732829320"`) {
		t.Errorf("the next invoice is made out to %s", issued.body)
	}
}

func TestCommunicationPreferences(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	path := "/v1/accounts/" + ada.account
	w.play(t,
		step{"what a new account gets", ada, "GET", path, "", nil, 200, "", []string{`"communication":{"legal":true,"security":true,"services":true,"tickets":true,"news":false}`}},
		step{"legal mail stays on", ada, "PATCH", path, `{"name":"Ada L.","communication":{"legal":false,"news":true}}`, nil, 422, "mail_compulsory", []string{`"field":"communication.legal"`}},
		step{"and security mail", ada, "PATCH", path, `{"communication":{"security":false}}`, nil, 422, "mail_compulsory", nil},
		step{"no other class", ada, "PATCH", path, `{"communication":{"advice":true}}`, nil, 422, "", nil},
		step{"nothing has changed", ada, "GET", path, "", nil, 200, "", []string{`"name":"ada"`, `"news":false`}},
	)
	chosen := w.must(t, ada, http.MethodPatch, path, `{"communication":{"tickets":false,"news":true}}`, 200)
	if shown := w.see(t, ada, path, chosen); !strings.Contains(string(shown.body), `"services":true,"tickets":false,"news":true`) {
		t.Errorf("%s", shown.body)
	}
}

// answerClosing does what the process manager does with the latest request.
func (w *world) answerClosing(t *testing.T, id string) {
	t.Helper()
	a, err := commands.Load(t.Context(), w.dispatcher.Streams(), account.Decider.At(id))
	if err == nil {
		err = w.dispatcher.AnswerClosing(t.Context(), system(), id, a.Closing)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Settle()
}

func TestClosingAnAccount(t *testing.T) {
	t.Parallel()
	s := set(t)
	path := "/v1/accounts/" + s.alice.account
	closing, staffPath := path+"/closing", "/v1/staff/accounts/"+s.alice.account
	_, carol := s.delegate(t, s.alice, s.member(t, "carol"), onAll)
	s.play(t,
		step{"a delegate does not close it", carol, "POST", closing, "", nil, 403, "denied", nil},
		step{"nor does staff", s.clerk, "POST", closing, "", nil, 403, "denied", nil},
		step{"the owner asks", s.alice, "POST", closing, "", nil, 202, "", nil},
		step{"no new service", s.clerk, "POST", staffPath + "/services", `{"product":"` + s.product + `","label":"x","cycle":"monthly"}`, nil, 409, "account_closing", nil},
		step{"no new domain", s.clerk, "POST", staffPath + "/domains", `{"name":"new.example","registered_on":"2026-01-02","expires_on":"2027-01-02"}`, nil, 409, "account_closing", nil},
		step{"no new invoice", s.clerk, "POST", staffPath + "/invoices", invoiceBody, nil, 409, "account_closing", nil},
		step{"no new ticket", s.alice, "POST", path + "/tickets", ticketBody, nil, 409, "account_closing", nil},
		step{"no new delegate", s.alice, "POST", path + "/delegations", `{"email":"d@example.com",` + onAll + `}`, nil, 409, "account_closing", nil},
		step{"an open ticket goes on", s.alice, "POST", path + "/tickets/" + s.ticket + "/replies", `{"message":"And?"}`, nil, 201, "", nil},
	)
	s.Settle()
	s.play(t, step{"it is closing", s.alice, "GET", path, "", nil, 200, "", []string{`"status":"closing"`}})
	s.answerClosing(t, s.alice.account)
	s.play(t,
		step{"refused with every reason", s.alice, "GET", path, "", nil, 200, "", []string{`"status":"open"`, `"close_refused":["live_services","live_domains","unpaid_invoices","open_tickets"]`}},
		step{"and it goes on", s.alice, "POST", path + "/tickets", ticketBody, nil, 201, "", nil},
		step{"asked again", s.alice, "POST", closing, "", nil, 202, "", nil},
		step{"withdrawn", s.alice, "DELETE", closing, "", nil, 200, "", nil},
		step{"and it goes on again", s.alice, "POST", path + "/tickets", ticketBody, nil, 201, "", nil},
		step{"an owner of an open account is not closed", s.bob, "POST", "/v1/me/close", `{"password":"` + password + `"}`, nil, 409, "owns_accounts", nil},
	)
}

// TestAClosedAccountIsOnlyRead closes one that holds a paid invoice and a
// closed ticket.
func TestAClosedAccountIsOnlyRead(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.sells(t)
	clerk, ada := w.staff(t), w.customer(t, "ada")
	path, staffPath := "/v1/accounts/"+ada.account, "/v1/staff/accounts/"+ada.account
	inv := w.must(t, clerk, http.MethodPost, staffPath+"/invoices", invoiceBody, 201).ID(t)
	w.must(t, clerk, http.MethodPost, staffPath+"/invoices/"+inv+"/issue", "", 200)
	w.must(t, clerk, http.MethodPost, staffPath+"/invoices/"+inv+"/payments", `{"amount":{"amount":"24.00","currency":"EUR"},"reference":"x","received_on":"2026-01-05"}`, 200)
	tkt := w.must(t, ada, http.MethodPost, path+"/tickets", ticketBody, 201).ID(t)
	w.must(t, ada, http.MethodPost, path+"/tickets/"+tkt+"/close", "", 200)
	ctc := w.must(t, ada, http.MethodPost, path+"/contacts", contactBody, 201).ID(t)
	dlg, carol := w.delegate(t, ada, w.member(t, "carol"), onAll)
	_, program := w.token(t, ada, ada.account, `{"name":"x","permissions":["*"]}`)
	_, pending := w.invite(t, ada, "bob@example.com", onAll)
	bob := w.member(t, "bob")
	w.must(t, ada, http.MethodPost, path+"/closing", "", 202)
	w.play(t, step{"no invitation is accepted", bob, "POST", "/v1/delegations/accept", token(pending), nil, 409, "account_closing", nil})
	w.answerClosing(t, ada.account)
	w.play(t,
		step{"it is closed", ada, "GET", path, "", nil, 200, "", []string{`"status":"closed"`}},
		step{"and listed as closed", ada, "GET", "/v1/me/accounts", "", nil, 200, "", []string{`"status":"closed"`}},
		step{"invoices are read", ada, "GET", path + "/invoices/" + inv, "", nil, 200, "", []string{`"status":"paid"`}},
		step{"tickets too", ada, "GET", path + "/tickets/" + tkt, "", nil, 200, "", nil},
		step{"the dashboard too", ada, "GET", path + "/dashboard", "", nil, 200, "", nil},
		step{"the history says who did it", ada, "GET", path + "/history", "", nil, 200, "", []string{"account.closed.v2", "account.closing_requested.v1"}},
		step{"and that there are contacts", ada, "GET", path + "/history", "", nil, 200, "", []string{"contact.created.v1"}},
		step{"as the contacts do", ada, "GET", path + "/contacts", "", nil, 200, "", []string{ctc}},
		step{"and the events", ada, "GET", "/v1/events?types=contact.created.v1&account=" + ada.account, "", nil, 200, "", []string{ctc}},
		step{"by tokens as well", program, "GET", path + "/invoices", "", nil, 200, "", []string{inv}},
		step{"contacts are read", ada, "GET", path + "/contacts", "", nil, 200, "", []string{ctc}},
		step{"one by one", program, "GET", path + "/contacts/" + ctc, "", nil, 200, "", []string{ctc}},
		step{"and not changed", ada, "PATCH", path + "/contacts/" + ctc, `{"name":"x"}`, nil, 409, "account_closed", nil},
		step{"none is added", ada, "POST", path + "/contacts", contactBody, nil, 409, "account_closed", nil},
		step{"the profile is not changed", ada, "PATCH", path, `{"name":"x"}`, nil, 409, "account_closed", nil},
		step{"nor the billing identity", ada, "PUT", path + "/billing-identity", billingBody, nil, 409, "account_closed", nil},
		step{"no ticket", ada, "POST", path + "/tickets", ticketBody, nil, 409, "account_closed", nil},
		step{"none is reopened", ada, "POST", path + "/tickets/" + tkt + "/reopen", "", nil, 409, "account_closed", nil},
		step{"nor by tokens", program, "POST", path + "/tickets/" + tkt + "/reopen", "", nil, 409, "account_closed", nil},
		step{"no notification is marked", ada, "POST", path + "/notifications/read-all", "", nil, 409, "account_closed", nil},
		step{"nobody is invited", ada, "POST", path + "/delegations", `{"email":"d@example.com",` + onAll + `}`, nil, 409, "account_closed", nil},
		step{"no token is made", ada, "POST", path + "/api-tokens", `{"name":"y","permissions":["*"]}`, nil, 409, "account_closed", nil},
		step{"not closed again", ada, "POST", path + "/closing", "", nil, 409, "account_closed", nil},
		step{"staff make no service", clerk, "POST", staffPath + "/services", `{"product":"prd_1","label":"x","cycle":"monthly"}`, nil, 409, "account_closed", nil},
		step{"nor a credit note", clerk, "POST", staffPath + "/invoices/" + inv + "/credit", `{"reason":"x"}`, nil, 409, "account_closed", nil},
		step{"the delegate is out", carol, "GET", path + "/invoices", "", nil, 404, "not_found", nil},
		step{"strangers learn nothing", bob, "GET", path, "", nil, 404, "not_found", nil},
		step{"only staff open it again", ada, "POST", staffPath + "/reopen", "", nil, 403, "denied", nil},
		step{"staff do", clerk, "POST", staffPath + "/reopen", "", nil, 200, "", nil},
		step{"and it goes on", ada, "POST", path + "/tickets", ticketBody, nil, 201, "", nil},
		step{"the delegation stays ended", ada, "GET", path + "/delegations/" + dlg, "", nil, 200, "", []string{`"status":"revoked"`}},
	)
	// Closed once more, it does not keep its owner from leaving.
	w.Settle()
	for _, item := range w.must(t, ada, http.MethodGet, path+"/tickets", "", 200).items(t) {
		w.do(t, ada, http.MethodPost, path+"/tickets/"+item.(map[string]any)["id"].(string)+"/close", "")
	}
	w.must(t, ada, http.MethodPost, path+"/closing", "", 202)
	w.answerClosing(t, ada.account)
	w.must(t, ada, http.MethodPost, "/v1/me/close", `{"password":"`+password+`"}`, 204)
	w.play(t, step{"nobody is there to open it for", clerk, "POST", staffPath + "/reopen", "", nil, 409, "account_owner_gone", nil})
}

// TestAnAccountIsClosedBeforeWhatEndsWithIt breaks off after the answer: nobody
// writes on the account from then on, and the rest is finished later.
func TestAnAccountIsClosedBeforeWhatEndsWithIt(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	path := "/v1/accounts/" + ada.account
	dlg, carol := w.delegate(t, ada, w.member(t, "carol"), onAll)
	w.must(t, ada, http.MethodPost, path+"/closing", "", 202)
	a, err := commands.Load(t.Context(), w.dispatcher.Streams(), account.Decider.At(ada.account))
	if err != nil {
		t.Fatal(err)
	}
	broken := &commandtest.Faulty{Store: w.Store}
	broken.Fail(commandtest.Fault{Fails: func(stream string, _ []eventstore.NewEvent) error {
		if strings.HasPrefix(stream, "delegation-") {
			return errors.New("no room")
		}
		return nil
	}})
	w.dispatcher.Store = broken
	if err := w.dispatcher.AnswerClosing(t.Context(), system(), ada.account, a.Closing); err == nil {
		t.Error("the delegation ended on a broken store")
	}
	w.Settle()
	w.play(t,
		step{"it is closed", ada, "GET", path, "", nil, 200, "", []string{`"status":"closed"`}},
		step{"a delegate reads", carol, "GET", path + "/invoices", "", nil, 200, "", nil},
		step{"and writes nothing", carol, "POST", path + "/tickets", ticketBody, nil, 409, "account_closed", nil},
		step{"nor marks anything", carol, "POST", path + "/notifications/read-all", "", nil, 409, "account_closed", nil},
		step{"nor makes a token", carol, "POST", path + "/api-tokens", `{"name":"y","permissions":["*"]}`, nil, 409, "account_closed", nil},
	)
	broken.Heal()
	if err := w.dispatcher.FinishClosing(t.Context(), system(), ada.account); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	w.play(t,
		step{"then the delegate is out", carol, "GET", path + "/invoices", "", nil, 404, "not_found", nil},
		step{"and the owner sees it", ada, "GET", path + "/delegations/" + dlg, "", nil, 200, "", []string{`"status":"revoked"`}},
	)
}
