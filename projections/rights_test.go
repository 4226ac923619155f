package projections_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

// terms are permissions on the whole account, or on what scope names.
func terms(scope delegation.Scope, permissions ...domain.Permission) delegation.Terms {
	return delegation.Terms{Permissions: permissions, Scope: scope}
}

func TestRightsOfADelegate(t *testing.T) {
	t.Parallel()
	side := start(t, catalog.Types(), projections.RightsModel)
	first := terms(delegation.Scope{All: true}, delegation.TicketsRead)
	second := terms(delegation.Scope{Services: []string{"hst_1"}}, delegation.ServicesRead)
	holds := func(want ...delegation.Grant) {
		t.Helper()
		side.Settle()
		g, err := side.Reader.Rights(t.Context(), "usr_2")
		if err != nil {
			t.Fatal(err)
		}
		var got []delegation.Grant
		if grant, ok := g.Accounts["acc_1"]; ok {
			got = append(got, grant)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	given := func(events ...domain.Event) { side.Given("acc_1", "delegation-dlg_1", events...) }

	side.Given("acc_1", "account-acc_1", account.Opened{Owner: "usr_1"})
	given(delegation.DelegateInvited{Account: "acc_1", Invitation: "ivt_1", Terms: first})
	holds()
	given(delegation.InvitationAccepted{Account: "acc_1", User: "usr_2", Terms: first})
	holds(delegation.Grant{Delegation: "dlg_1", Terms: first})
	given(delegation.GrantChanged{Account: "acc_1", User: "usr_2", Terms: second})
	holds(delegation.Grant{Delegation: "dlg_1", Terms: second})

	// Another delegation of the same person does not end this one.
	side.Given("acc_1", "delegation-dlg_2", delegation.Revoked{Account: "acc_1", User: "usr_2"})
	holds(delegation.Grant{Delegation: "dlg_1", Terms: second})
	given(delegation.Revoked{Account: "acc_1", User: "usr_2"})
	holds()

	// What has run out is not held, although nobody has noted it.
	over, open := first, first
	past, future := time.Now().Add(-time.Second).UTC(), time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	over.ExpiresAt, open.ExpiresAt = &past, &future
	given(delegation.InvitationAccepted{Account: "acc_1", User: "usr_2", Terms: open})
	holds(delegation.Grant{Delegation: "dlg_1", Terms: open})
	given(delegation.GrantChanged{Account: "acc_1", User: "usr_2", Terms: over})
	holds()
	given(delegation.Expired{Account: "acc_1", User: "usr_2"})
	holds()
	side.RebuildsEqual()
}

// TestAnAccountAlwaysHasOneOwner reads the rights of all while it changes hands.
func TestAnAccountAlwaysHasOneOwner(t *testing.T) {
	t.Parallel()
	side := start(t, catalog.Types(), projections.RightsModel, "accounts", "delegations")
	everything := terms(delegation.Scope{All: true}, "*")
	own, kept := delegation.Grant{Owner: true}, delegation.Grant{Delegation: "dlg_1", Terms: everything}
	delegated := delegation.Grant{Delegation: "dlg_2", Terms: everything}
	holds := func(want map[string]delegation.Grant) {
		t.Helper()
		side.Settle()
		got := map[string]delegation.Grant{}
		for _, user := range []string{"usr_1", "usr_2"} {
			g, err := side.Reader.Rights(t.Context(), user)
			if err != nil {
				t.Fatal(err)
			}
			if grant, ok := g.Accounts["acc_1"]; ok {
				got[user] = grant
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	given := func(stream string, events ...domain.Event) { side.Given("acc_1", stream, events...) }
	offers := func() int {
		t.Helper()
		list, err := side.Reader.Transfers(t.Context(), delegation.Grants{User: "usr_1", Accounts: map[string]delegation.Grant{"acc_1": own}}, "acc_1", projections.Page{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)

	given("account-acc_1", account.Opened{Owner: "usr_1"})
	given("delegation-dlg_2", delegation.DelegateInvited{Account: "acc_1", Invitation: "ivt_2", Terms: everything}, delegation.InvitationAccepted{Account: "acc_1", User: "usr_2", Terms: everything})
	given("account-acc_1", account.OwnershipTransferProposed{Transfer: "otr_1", OpenUntil: soon, Keep: &everything})
	holds(map[string]delegation.Grant{"usr_1": own, "usr_2": delegated})
	if offers() != 1 {
		t.Error("the offer is not listed")
	}
	given("account-acc_1", account.OwnershipTransferred{Transfer: "otr_1", From: "usr_1", To: "usr_2", Keep: &everything})
	holds(map[string]delegation.Grant{"usr_2": own})
	if offers() != 0 {
		t.Error("the offer is still listed")
	}
	given("delegation-dlg_2", delegation.Revoked{Account: "acc_1", User: "usr_2"})
	given("delegation-dlg_1", delegation.Kept{Account: "acc_1", Invitation: "ivt_1", Email: "p@example.com", User: "usr_1", Terms: everything})
	holds(map[string]delegation.Grant{"usr_1": kept, "usr_2": own})
	row, err := side.Reader.Delegation(t.Context(), delegation.Grants{System: true}, "acc_1", "dlg_1")
	if err != nil || row.Holder != "usr_1" || row.Email != "p@example.com" || row.Status != delegation.StatusActive || row.Invitation != "ivt_1" {
		t.Errorf("%+v %v", row, err)
	}
	// And back: there is one stream of a delegation for each address.
	given("account-acc_1", account.OwnershipTransferred{Transfer: "otr_2", From: "usr_2", To: "usr_1"})
	holds(map[string]delegation.Grant{"usr_1": own})
	given("delegation-dlg_1", delegation.Revoked{Account: "acc_1", User: "usr_1"})
	holds(map[string]delegation.Grant{"usr_1": own})
	side.RebuildsEqual()
}

func TestTokenRights(t *testing.T) {
	t.Parallel()
	side := start(t, catalog.Types(), projections.RightsModel)
	held := terms(delegation.Scope{Tickets: []string{"tkt_1"}}, delegation.TicketsRead)
	past := time.Now().Add(-time.Second).UTC()
	side.Given("acc_1", "delegation-dlg_1", delegation.InvitationAccepted{Account: "acc_1", User: "usr_2", Terms: held})
	issue := func(id string, end *time.Time) {
		side.Given("acc_1", "apitoken-"+id, apitoken.Issued{Account: "acc_1", User: "usr_2", Permissions: []domain.Permission{"*"}, ExpiresAt: end})
	}
	issue("tok_1", nil)
	issue("tok_over", &past)
	has := func(id string, want bool) {
		t.Helper()
		side.Settle()
		g, err := side.Reader.TokenRights(t.Context(), id)
		if !want {
			if domain.KindOf(err) != domain.KindUnauthenticated {
				t.Error(id, g, err)
			}
			return
		}
		if diff := cmp.Diff(delegation.Grants{User: "usr_2", Token: id, Accounts: map[string]delegation.Grant{"acc_1": {Delegation: "dlg_1", Terms: held}}}, g); err != nil || diff != "" {
			t.Error(id, err, diff)
		}
	}
	has("tok_1", true)
	has("tok_over", false)
	has("tok_none", false)
	side.Given("", "user-usr_2", user.Locked{})
	has("tok_1", false)
	side.Given("", "user-usr_2", user.Unlocked{})
	has("tok_1", true)
	side.Given("acc_1", "apitoken-tok_1", apitoken.Revoked{Account: "acc_1", User: "usr_2"})
	has("tok_1", false)
	side.RebuildsEqual()
}

// TestAScopeHidesEverythingElse gives a delegate one service, one domain name
// and one ticket of two each, and asks everything.
func TestAScopeHidesEverythingElse(t *testing.T) {
	t.Parallel()
	side := projectiontest.Start(t, catalog.Types(), projections.Models()...)
	side.Given("acc_1", "account-acc_1", account.Opened{Owner: "usr_1", Name: "Pierre"})
	for _, n := range []string{"1", "2"} {
		side.Given("acc_1", "hosting-hst_"+n, hosting.Created{Account: "acc_1", Label: n}, hosting.Provisioned{})
		side.Given("acc_1", "domainname-dom_"+n, domainname.Registered{Account: "acc_1", Name: n + ".example"})
		side.Given("acc_1", "ticket-tkt_"+n, ticket.Opened{Account: "acc_1", Number: n, Related: &ticket.Related{Kind: "service", ID: "hst_" + n}})
	}
	side.Given("acc_1", "ticket-tkt_3", ticket.Opened{Account: "acc_1", Number: "3", Related: &ticket.Related{Kind: "service", ID: "hst_2"}})
	side.Settle()
	g := delegation.Grants{User: "usr_2", Accounts: map[string]delegation.Grant{"acc_1": {Terms: terms(delegation.Scope{
		Services: []string{"hst_1", "hst_of_another"}, Domains: []string{"dom_1"}, Tickets: []string{"tkt_1", "tkt_3"},
	}, "*")}}}
	r, ctx, page := side.Reader, t.Context(), projections.Page{}

	services, err := r.Services(ctx, g, "acc_1", projections.Page{Limit: 1})
	if err != nil || len(services.Items) != 1 || services.Items[0].ID != "hst_1" || services.NextCursor != nil {
		t.Errorf("%+v %v", services, err)
	}
	domains, err := r.DomainNames(ctx, g, "acc_1", page)
	if err != nil || len(domains.Items) != 1 || domains.Items[0].ID != "dom_1" {
		t.Errorf("%+v %v", domains, err)
	}
	tickets, err := r.Tickets(ctx, g, "acc_1", page)
	if err != nil || len(tickets.Items) != 2 || tickets.Items[0].ID != "tkt_3" || tickets.Items[0].Related != nil || tickets.Items[1].Related == nil {
		t.Errorf("%+v %v", tickets, err)
	}
	if d, err := r.DomainName(ctx, g, "acc_1", "1.example"); err != nil || d.ID != "dom_1" {
		t.Error(d, err)
	}
	board, err := r.Dashboard(ctx, g, "acc_1")
	one, none := 1, 0
	if err != nil || *board.Counts.Services != one || *board.Counts.Domains != one || *board.Counts.OpenTickets != 2 ||
		len(board.ActiveServices) != 1 || len(board.LatestTickets) != 2 || board.Profile.Name != "" ||
		board.Counts.UnpaidInvoices != nil || board.Counts.UnreadNotifications != nil {
		t.Errorf("%+v %v", board, err)
	}
	g2 := delegation.Grants{User: "usr_2", Accounts: map[string]delegation.Grant{"acc_1": {Terms: terms(delegation.Scope{Services: []string{"hst_1"}}, delegation.ServicesRead, delegation.DomainsRead)}}}
	if board, err = r.Dashboard(ctx, g2, "acc_1"); err != nil || *board.Counts.Domains != none || board.Counts.OpenTickets != nil {
		t.Errorf("%+v %v", board, err)
	}
	for name, query := range map[string]func() error{
		"another service":      func() error { _, err := r.Service(ctx, g, "acc_1", "hst_2"); return err },
		"a service of nobody":  func() error { _, err := r.Service(ctx, g, "acc_1", "hst_3"); return err },
		"one of another":       func() error { _, err := r.Service(ctx, g, "acc_1", "hst_of_another"); return err },
		"another domain":       func() error { _, err := r.DomainName(ctx, g, "acc_1", "2.example"); return err },
		"another domain by id": func() error { _, err := r.DomainName(ctx, g, "acc_1", "dom_2"); return err },
		"another ticket":       func() error { _, err := r.Ticket(ctx, g, "acc_1", "tkt_2"); return err },
	} {
		if err := query(); domain.KindOf(err) != domain.KindMissing {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, query := range map[string]func() error{
		"invoices":      func() error { _, err := r.Invoices(ctx, g, "acc_1", "", page); return err },
		"notifications": func() error { _, err := r.Notifications(ctx, g, "acc_1", page); return err },
		"the profile":   func() error { _, err := r.Account(ctx, g, "acc_1"); return err },
	} {
		if err := query(); domain.KindOf(err) != domain.KindDenied {
			t.Errorf("%s: %v", name, err)
		}
	}
	feed := projections.NewFeed(r, side.Store, side.Codec)
	got := typesOf(t, feed, projections.EventQuery{Account: "acc_1", Rights: holding(g)})
	want := []string{"hosting.created.v1 hst_1", "hosting.provisioned.v1 hst_1", "domainname.registered.v1 dom_1", "ticket.opened.v1 tkt_1", "ticket.opened.v1 tkt_3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	events, err := feed.Next(ctx, projections.EventQuery{Account: "acc_1", Rights: holding(g), Types: []string{"ticket.opened.v1"}})
	if err != nil || len(events.Events) != 2 {
		t.Fatal(events, err)
	}
	if diff := cmp.Diff(`{"number":"3","status":"open","department":"","priority":"","subject":"","message":""}`, string(events.Events[1].Data)); diff != "" {
		t.Error("the feed links to another service:", diff)
	}
}
