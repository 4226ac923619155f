package http_test

import (
	"net/http"
	"strings"
	"testing"
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
