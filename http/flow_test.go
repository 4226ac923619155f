package http_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestOneThingOfEveryKind walks through the whole contract once and reads back
// what it made.
func TestOneThingOfEveryKind(t *testing.T) {
	t.Parallel()
	s := set(t)
	path := "/v1/accounts/" + s.alice.account
	read := func(path string, want ...string) {
		t.Helper()
		a := s.must(t, s.alice, http.MethodGet, path, "", 200)
		for _, text := range want {
			if !strings.Contains(string(a.body), text) {
				t.Errorf("%s has no %s: %s", path, text, a.body)
			}
		}
	}
	read(path, `"name":"alice"`, `"country":"FR"`)
	read(path+"/dashboard", `"services":1`, `"domains":1`, `"unpaid_invoices":1`, `"open_tickets":1`, `"unread_notifications":1`,
		`"label":"alice-secret label"`, `"status":"active"`, `"title":"Maintenance"`, `"profile":{"name":"alice","country":"FR"}`)
	read(path+"/services", s.service)
	read(path+"/services/"+s.service, `"status":"active"`, `"suspension_reasons":[]`, `"renews_on":"20`)
	read(path+"/domains", domainName)
	read(path+"/domains/"+domainName, `"expires_on":"2027-01-02"`)
	read(path+"/invoices", s.invoice, s.credited)
	read(path+"/invoices?status=unpaid", s.invoice)
	read(path+"/invoices/"+s.invoice, `"status":"unpaid"`, `"number":"F20`, `"gross":{"amount":"24.00","currency":"EUR"}`, `"vat_rate":"20"`)
	read(path+"/invoices/"+s.credited, `"status":"credited"`, `"due":{"amount":"0.00","currency":"EUR"}`)
	read(path+"/credit-notes", s.creditNote)
	read(path+"/credit-notes/"+s.creditNote, `"number":"A20`, s.credited)
	read(path+"/tickets", s.ticket)
	read(path+"/tickets/"+s.ticket, `"status":"open"`, `"message":"alice-secret message"`, `"author":"customer"`)
	read(path+"/notifications", s.notification, `"read_at":null`)
	read("/v1/me/accounts", s.alice.account, `"role":"owner"`, `"scope":{"all":true}`)
	read("/v1/products", `"code":"vps-5"`, `"price":{"amount":"12.00","currency":"EUR"}`)
	read("/v1/products/"+s.product, `"code":"vps-5"`)
	read("/v1/news", s.news)
	read("/v1/news/"+s.news, `"body":"Tonight."`)
	if a := s.do(t, s.alice, http.MethodGet, path+"/invoices/"+s.draft, ""); a.status != 404 {
		t.Errorf("a customer sees a draft: %d", a.status)
	}
	s.must(t, s.clerk, http.MethodGet, path+"/invoices/"+s.draft, "", 200)
	if a := s.must(t, s.clerk, http.MethodGet, "/v1/audit/streams/hosting-"+s.service, "", 200); strings.Contains(string(a.body), "alice-secret subject") || !strings.Contains(string(a.body), "hosting.created.v1") {
		t.Errorf("the audit shows %s", a.body)
	}
}

// step is one request of a story and what it must come to.
type step struct {
	name         string
	as           party
	method, path string
	body         string
	headers      []string
	status       int
	code         string
	// holds are texts that the answer has.
	holds []string
}

// play sends the steps in order.
func (w *world) play(t *testing.T, steps ...step) {
	t.Helper()
	for _, s := range steps {
		a := w.do(t, s.as, s.method, s.path, s.body, s.headers...)
		if a.status != s.status {
			t.Errorf("%s: %s %s answered %d, not %d: %s", s.name, s.method, s.path, a.status, s.status, a.body)
			continue
		}
		if s.code != "" && a.code(t) != s.code {
			t.Errorf("%s: the code is %s, not %s", s.name, a.code(t), s.code)
		}
		for _, text := range s.holds {
			if !strings.Contains(string(a.body), text) {
				t.Errorf("%s: no %s in %s", s.name, text, a.body)
			}
		}
	}
}

func TestServicesThroughTheirStates(t *testing.T) {
	t.Parallel()
	w := begin(t)
	clerk, ada := w.staff(t), w.customer(t, "ada")
	product := w.must(t, clerk, http.MethodPost, "/v1/staff/products", productBody("vps"), 201)
	if product.header.Get("Location") != "/v1/products/"+product.ID(t) {
		t.Errorf("Location %s", product.header.Get("Location"))
	}
	staff, own := "/v1/staff/accounts/"+ada.account+"/services", "/v1/accounts/"+ada.account+"/services"
	body := `{"product":"` + product.ID(t) + `","label":"one","cycle":"monthly"}`
	id := w.must(t, clerk, http.MethodPost, staff, body, 201).ID(t)
	w.play(t,
		step{"a product twice", clerk, "POST", "/v1/staff/products", productBody("vps"), nil, 409, "product_code_taken", nil},
		step{"an unknown product", clerk, "POST", staff, strings.Replace(body, "prd_", "prd_x", 1), nil, 422, "invalid_field", []string{`"field":"product"`}},
		step{"an unpriced cycle", clerk, "POST", staff, strings.Replace(body, "monthly", "yearly", 1), nil, 409, "product_not_on_sale", nil},
		step{"suspended before it is active", clerk, "POST", staff + "/" + id + "/suspend", `{"reason":"overdue"}`, nil, 409, "", nil},
		step{"activated", clerk, "POST", staff + "/" + id + "/activate", "", nil, 200, "", []string{id}},
		step{"suspended", clerk, "POST", staff + "/" + id + "/suspend", `{"reason":"overdue"}`, nil, 200, "", nil},
		step{"suspended by its owner", ada, "POST", staff + "/" + id + "/suspend", `{"reason":"overdue"}`, nil, 403, "denied", nil},
		step{"renamed", ada, "PATCH", own + "/" + id, `{"label":"two"}`, nil, 200, "", nil},
		step{"renamed to nothing", ada, "PATCH", own + "/" + id, `{"label":""}`, nil, 422, "invalid_field", []string{`"field":"label"`}},
		step{"lifted", clerk, "POST", staff + "/" + id + "/lift", `{"reason":"overdue"}`, nil, 200, "", nil},
		step{"lifted again", clerk, "POST", staff + "/" + id + "/lift", `{"reason":"overdue"}`, nil, 409, "", nil},
		step{"a service that is not there", ada, "PATCH", own + "/hst_none", `{"label":"x"}`, nil, 404, "", nil},
		step{"in an account that is not there", clerk, "POST", "/v1/staff/accounts/acc_none/services", body, nil, 404, "", nil},
	)
	last := w.must(t, ada, http.MethodPatch, own+"/"+id, `{"label":"three"}`, 200)
	shown := w.see(t, ada, own+"/"+id, last)
	if shown.text(t, "label") != "three" || shown.text(t, "status") != "active" || shown.header.Get("ETag") != last.header.Get("ETag") {
		t.Errorf("shown %s %v", shown.body, shown.header)
	}
}

func TestInvoicesThroughTheirStates(t *testing.T) {
	t.Parallel()
	w := begin(t)
	clerk, ada := w.staff(t), w.customer(t, "ada")
	staff, own := "/v1/staff/accounts/"+ada.account+"/invoices", "/v1/accounts/"+ada.account+"/invoices"
	id := w.must(t, clerk, http.MethodPost, staff, invoiceBody, 201).ID(t)
	line := `{"description":"Extra","quantity":"0.5","unit_price":{"amount":"3.33","currency":"EUR"},"vat_rate":"5.5"}`
	pay := func(amount, currency string) string {
		return `{"amount":{"amount":"` + amount + `","currency":"` + currency + `"},"reference":"VIR 1","received_on":"2026-01-05"}`
	}
	w.play(t,
		step{"issued without a seller", clerk, "POST", staff + "/" + id + "/issue", "", nil, 409, "seller_not_configured", nil},
	)
	w.sells(t)
	w.play(t,
		step{"a line more", clerk, "POST", staff + "/" + id + "/lines", line, nil, 201, "", []string{id}},
		step{"a line of dollars", clerk, "POST", staff + "/" + id + "/lines", strings.Replace(line, "EUR", "USD", 1), nil, 422, "", nil},
		step{"a line without", clerk, "POST", staff + "/" + id + "/lines", `{}`, nil, 422, "invalid_field", []string{`"field":"unit_price"`}},
		step{"the line away", clerk, "DELETE", staff + "/" + id + "/lines/2", "", nil, 200, "", nil},
		step{"a line that is gone", clerk, "DELETE", staff + "/" + id + "/lines/9", "", nil, 200, "", nil},
		step{"no line at all", clerk, "DELETE", staff + "/" + id + "/lines/x", "", nil, 404, "", nil},
		step{"paid as a draft", clerk, "POST", staff + "/" + id + "/payments", pay("1.00", "EUR"), nil, 409, "", nil},
		step{"issued", clerk, "POST", staff + "/" + id + "/issue", "", nil, 200, "", []string{`"number":"F20`, "-000001", `"issued_on":"20`, `"due_on":"20`}},
		step{"issued again", clerk, "POST", staff + "/" + id + "/issue", "", nil, 200, "", []string{"-000001"}},
		step{"changed when issued", clerk, "POST", staff + "/" + id + "/lines", line, nil, 409, "", nil},
		step{"discarded when issued", clerk, "DELETE", staff + "/" + id, "", nil, 409, "", nil},
		step{"paid in dollars", clerk, "POST", staff + "/" + id + "/payments", pay("1.00", "USD"), nil, 409, "", nil},
		step{"paid too much", clerk, "POST", staff + "/" + id + "/payments", pay("24.01", "EUR"), nil, 409, "", nil},
		step{"paid with a wrong amount", clerk, "POST", staff + "/" + id + "/payments", pay("1,00", "EUR"), nil, 422, "invalid_field", []string{`"field":"amount.amount"`}},
		step{"paid with too many decimals", clerk, "POST", staff + "/" + id + "/payments", pay("1.001", "EUR"), nil, 422, "invalid_field", nil},
		step{"paid in part", clerk, "POST", staff + "/" + id + "/payments", pay("4.00", "EUR"), nil, 200, "", nil},
		step{"the same payment told again", clerk, "POST", staff + "/" + id + "/payments", pay("4.00", "EUR"), nil, 409, "invoice_payment_known", nil},
		step{"paid", clerk, "POST", staff + "/" + id + "/payments", strings.Replace(pay("20.00", "EUR"), "VIR 1", "VIR 2", 1), nil, 200, "", nil},
		step{"paid by the customer", ada, "POST", staff + "/" + id + "/payments", pay("1.00", "EUR"), nil, 403, "denied", nil},
	)
	last := w.must(t, clerk, http.MethodPost, staff, invoiceBody, 201)
	gone := w.must(t, clerk, http.MethodDelete, staff+"/"+last.ID(t), "", 200)
	w.see(t, clerk, own, gone)
	if n := len(w.must(t, ada, http.MethodGet, own, "", 200).items(t)); n != 1 {
		t.Errorf("the customer sees %d invoices", n)
	}
	w.play(t,
		step{"the unpaid ones", ada, "GET", own + "?status=unpaid", "", nil, 200, "", []string{`"items":[]`, `"next_cursor":null`}},
		step{"the paid ones", ada, "GET", own + "?status=paid", "", nil, 200, "", []string{id}},
		step{"some unknown status", ada, "GET", own + "?status=lost", "", nil, 422, "invalid_field", []string{`"in":"query"`, `"field":"status"`}},
		step{"a credit of what is paid", clerk, "POST", staff + "/" + id + "/credit", `{"reason":"wrong"}`, nil, 201, "", []string{`"number":"A20`}},
		step{"a credit twice", clerk, "POST", staff + "/" + id + "/credit", `{"reason":"wrong"}`, nil, 409, "", nil},
	)
}

func TestTicketsThroughTheirStates(t *testing.T) {
	t.Parallel()
	w := begin(t)
	clerk, ada := w.staff(t), w.customer(t, "ada")
	own := "/v1/accounts/" + ada.account + "/tickets"
	opened := w.must(t, ada, http.MethodPost, own, ticketBody, 201)
	id := opened.ID(t)
	if opened.header.Get("Location") != own+"/"+id {
		t.Errorf("Location %s", opened.header.Get("Location"))
	}
	w.play(t,
		step{"an unknown department", ada, "POST", own, strings.Replace(ticketBody, "technical", "poetry", 1), nil, 422, "invalid_field", []string{`"field":"department"`}},
		step{"related to nothing of hers", ada, "POST", own, strings.Replace(ticketBody, `"subject"`, `"related":{"kind":"service","id":"hst_1"},"subject"`, 1), nil, 422, "invalid_field", []string{`"field":"related.id"`}},
		step{"answered", clerk, "POST", "/v1/staff/tickets/" + id + "/replies", `{"message":"Hello"}`, nil, 201, "", []string{id}},
		step{"answered by the customer as staff", ada, "POST", "/v1/staff/tickets/" + id + "/replies", `{"message":"Hello"}`, nil, 403, "denied", nil},
		step{"replied", ada, "POST", own + "/" + id + "/replies", `{"message":"Thanks"}`, nil, 201, "", []string{id}},
		step{"an empty reply", ada, "POST", own + "/" + id + "/replies", `{"message":" "}`, nil, 422, "invalid_field", []string{`"field":"message"`}},
		step{"closed", ada, "POST", own + "/" + id + "/close", "", nil, 200, "", nil},
		step{"closed again", ada, "POST", own + "/" + id + "/close", "{}", nil, 200, "", nil},
		step{"closed with something", ada, "POST", own + "/" + id + "/close", `{"why":"x"}`, nil, 422, "invalid_field", []string{`"field":"why"`}},
		step{"replied when closed", ada, "POST", own + "/" + id + "/replies", `{"message":"Oh"}`, nil, 409, "ticket_closed", nil},
		step{"reopened", ada, "POST", own + "/" + id + "/reopen", "", nil, 200, "", nil},
		step{"closed by staff", clerk, "POST", "/v1/staff/tickets/" + id + "/close", "", nil, 200, "", nil},
		step{"no such ticket", ada, "POST", own + "/tkt_1/close", "", nil, 404, "", nil},
		step{"no such ticket for staff", clerk, "POST", "/v1/staff/tickets/tkt_1/close", "", nil, 404, "", nil},
	)
	w.Settle()
	w.play(t,
		step{"read", ada, "GET", own + "/" + id, "", nil, 200, "", []string{`"status":"closed"`, `"message":"Hello"`, `"author":"staff"`, `"number":"`}},
		step{"read by staff", clerk, "GET", "/v1/staff/tickets/" + id, "", nil, 200, "", []string{`"message":"Thanks"`}},
		step{"listed by staff", clerk, "GET", "/v1/staff/tickets", "", nil, 200, "", []string{id, ada.account}},
	)
}

func TestNotificationsAreRead(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	path := "/v1/accounts/" + ada.account + "/notifications"
	first, second := w.notify(t, ada.account), w.notify(t, ada.account)
	third := w.notify(t, ada.account)
	w.Settle()
	one := w.must(t, ada, http.MethodPost, path+"/"+first+"/read", "", 200)
	again := w.must(t, ada, http.MethodPost, path+"/"+first+"/read", "", 200)
	if one.header.Get("ETag") != again.header.Get("ETag") {
		t.Error("reading twice writes twice")
	}
	all := w.must(t, ada, http.MethodPost, path+"/read-all", "", 200)
	shown := w.see(t, ada, path, all)
	if strings.Contains(string(shown.body), `"read_at":null`) || !strings.Contains(string(shown.body), second) || !strings.Contains(string(shown.body), third) {
		t.Errorf("shown %s", shown.body)
	}
	w.play(t,
		step{"no such notification", ada, "POST", path + "/ntf_1/read", "", nil, 404, "", nil},
		step{"all again", ada, "POST", path + "/read-all", "", nil, 200, "", nil},
	)
}
