package http_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/domain/delegation"
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
