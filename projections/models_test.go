package projections_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/announcement"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/notification"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/domain/seller"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

// portal is a read side with every model and a small history: the account
// acc_1 of usr_1, and acc_2 of usr_2, who sees nothing of it.
func portal(t *testing.T) *projectiontest.Side {
	t.Helper()
	side := projectiontest.Start(t, catalog.Types(), projections.Models()...)
	history(side)
	side.Settle()
	return side
}

func history(side *projectiontest.Side) {
	side.Given("", "user-usr_1", user.Registered{Email: "p@example.com", Name: "Pierre", Locale: "fr", Credential: "cred_1"})
	side.Given("", "staff-usr_9", staff.Hired{Role: delegation.RoleAdmin})
	side.Given("acc_1", "account-acc_1",
		account.Opened{Owner: "usr_1", Name: "Pierre Lannoy", Kind: account.Individual, Country: "BE", Currency: "EUR"},
		account.ProfileUpdated{Name: "Pierre Lannoy", Country: "FR"},
		account.BillingIdentityChanged{BillingIdentity: account.BillingIdentity{
			Kind: account.Company, Name: "Lannoy SARL", Country: "FR", Email: "compta@example.com", Address: account.Address{City: "Paris"},
		}})
	side.Given("acc_2", "account-acc_2", account.Opened{Owner: "usr_2", Name: "Other", Kind: account.Individual, Country: "FR", Currency: "EUR"})
	side.Given("", "product-prd_1", product.Drafted{Code: "vps-5", Name: "VPS-5"},
		product.Priced{Cycle: product.Monthly, Price: money.EUR(1200)},
		product.VersionPublished{Version: 1, Code: "vps-5", Name: "VPS-5", Prices: []product.Price{{Cycle: product.Monthly, Price: money.EUR(1200)}}})
	for _, id := range []string{"1", "2"} {
		side.Given("acc_1", "hosting-hst_"+id,
			hosting.Created{Account: "acc_1", Product: "prd_1", ProductVersion: 1, Name: "VPS-5", Label: id + ".eu", Cycle: product.Monthly},
			hosting.ProvisioningStarted{}, hosting.Provisioned{ActiveFrom: "2026-11-23", RenewsOn: "2026-12-23"})
	}
	side.Given("acc_1", "hosting-hst_2", hosting.Suspended{Reason: "abuse", Reasons: []hosting.Reason{"abuse"}})
	side.Given("acc_1", "domainname-dom_1", domainname.Registered{Account: "acc_1", Name: "example.fr", RegisteredOn: "2026-01-01", ExpiresOn: "2027-01-01"})
	contactsOf(side)
	invoicing(side)
	side.Given("acc_1", "ticket-tkt_1",
		ticket.Opened{Account: "acc_1", Number: "HPJ-613904", Department: ticket.Technical, Priority: ticket.Normal, Subject: "Test", Message: "Help"},
		ticket.StaffReplied{Message: "Done"}, ticket.Closed{ReopenUntil: projectiontest.Noon().Add(ticket.ReopenWindow)})
	side.Given("acc_1", "ticket-tkt_2",
		ticket.Opened{Account: "acc_1", Number: "ABC-000001", Department: ticket.Sales, Priority: ticket.Low, Subject: "Hello", Message: "Hi"})
	side.Given("acc_1", "notification-ntf_1", notification.Notified{Account: "acc_1", Class: notification.Info, Title: "Welcome"})
	side.Given("acc_1", "notification-ntf_2", notification.Notified{Account: "acc_1", Class: notification.Info, Title: "Read"}, notification.Read{})
	for i, title := range []string{"One", "Two", "Three", "Four"} {
		at := projectiontest.Noon().AddDate(-1, 0, i)
		side.Given("", "announcement-ann_"+title, announcement.Drafted{Title: title, Body: "…"}, announcement.Published{Title: title, Body: "…", PublishedAt: at})
	}
	side.Given("", "announcement-ann_draft", announcement.Drafted{Title: "Draft", Body: "…"})
}

// invoicing gives acc_1 an unpaid, a paid, a credited and a draft invoice.
func invoicing(side *projectiontest.Side) {
	line := invoice.Line{Number: 1, Description: "VPS-5", Quantity: "1", UnitPrice: money.EUR(1000), VATRate: "20", Net: money.EUR(1000)}
	totals := invoice.Totals{Net: money.EUR(1000), VAT: money.EUR(200), Gross: money.EUR(1200)}
	vat := []invoice.VAT{{Rate: "20", Net: money.EUR(1000), VAT: money.EUR(200)}}
	content := invoice.Content{Currency: "EUR", Seller: seller.Details{Name: "Host", RecoveryCharge: money.EUR(4000)}, Lines: []invoice.Line{line}, Totals: totals, VATBreakdown: vat, Buyer: invoice.Buyer{Name: "Pierre Lannoy", Country: "FR"}}
	draft := []domain.Event{invoice.Drafted{Account: "acc_1", Currency: "EUR"}, invoice.LineAdded{Line: line, Totals: totals}}
	for i, id := range []string{"1", "2", "3"} {
		number := "F2026-00000" + id
		side.Given("acc_1", "invoice-inv_"+id, append(draft, invoice.IssueRequested{Content: content},
			invoice.Issued{Account: "acc_1", Number: number, IssuedOn: domain.DateOf(2026, 11, 23+i), DueOn: "2026-12-23", Totals: totals, VATBreakdown: vat})...)
	}
	side.Given("acc_1", "invoice-inv_1", invoice.PaymentAllocated{Amount: money.EUR(200), Remaining: money.EUR(1000), Reference: "x", ReceivedOn: "2026-11-24"})
	side.Given("acc_1", "invoice-inv_2",
		invoice.PaymentAllocated{Amount: money.EUR(1200), Remaining: money.EUR(0), Reference: "x", ReceivedOn: "2026-11-24"},
		invoice.Paid{PaidOn: "2026-11-24", Total: money.EUR(1200)})
	side.Given("acc_1", "creditnote-crn_1",
		creditnote.IssueRequested{Account: "acc_1", Invoice: "inv_3", InvoiceNumber: "F2026-000003", Reason: "error", Content: content},
		creditnote.Issued{Account: "acc_1", Number: "A2026-000001", IssuedOn: "2026-11-25", Invoice: "inv_3", InvoiceNumber: "F2026-000003", Totals: totals, VATBreakdown: vat})
	side.Given("acc_1", "invoice-inv_3",
		invoice.CreditApplied{CreditNote: "crn_1", Number: "A2026-000001", Amount: money.EUR(1200), Remaining: money.EUR(0), Surplus: money.EUR(0)},
		invoice.Credited{Total: money.EUR(1200)})
	side.Given("acc_1", "invoice-inv_4", draft...)
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	side := portal(t)

	t.Run("shows what its account has", func(t *testing.T) {
		t.Parallel()
		got, err := side.Reader.Dashboard(t.Context(), owner("acc_1"), "acc_1")
		if err != nil {
			t.Fatal(err)
		}
		n := func(i int) *int { return &i }
		day := func(d int) time.Time { return projectiontest.Noon().AddDate(-1, 0, d) }
		want := projections.Dashboard{
			Counts:         projections.Counts{Services: n(1), Domains: n(1), UnpaidInvoices: n(1), OpenTickets: n(1), UnreadNotifications: n(1)},
			ActiveServices: []projections.DashboardService{{ID: "hst_1", Name: "VPS-5", Label: "1.eu", Status: "active"}},
			LatestTickets: []projections.DashboardTicket{
				{ID: "tkt_2", Number: "ABC-000001", Subject: "Hello", Status: "open"},
				{ID: "tkt_1", Number: "HPJ-613904", Subject: "Test", Status: "closed"},
			},
			News: []projections.DashboardNews{
				{ID: "ann_Four", Title: "Four", PublishedAt: day(3)},
				{ID: "ann_Three", Title: "Three", PublishedAt: day(2)},
				{ID: "ann_Two", Title: "Two", PublishedAt: day(1)},
			},
			Profile: projections.DashboardProfile{Name: "Pierre Lannoy", Country: "FR"},
		}
		for i := range got.LatestTickets {
			if got.LatestTickets[i].UpdatedAt.IsZero() {
				t.Error("a ticket has no time")
			}
			got.LatestTickets[i].UpdatedAt = time.Time{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("shows a delegate what the grant allows", func(t *testing.T) {
		t.Parallel()
		g := delegation.Grants{User: "usr_3", Accounts: map[string]delegation.Grant{"acc_1": {Terms: delegation.Terms{Permissions: []domain.Permission{delegation.TicketsRead}, Scope: delegation.Scope{All: true}}}}}
		got, err := side.Reader.Dashboard(t.Context(), g, "acc_1")
		if err != nil || got.Counts.Services != nil || len(got.ActiveServices) != 0 || got.Profile.Name != "" || *got.Counts.OpenTickets != 1 {
			t.Errorf("%+v %v", got, err)
		}
	})
}

func TestInvoices(t *testing.T) {
	t.Parallel()
	side := portal(t)
	ids := func(g delegation.Grants, status string) []string {
		list, err := side.Reader.Invoices(t.Context(), g, "acc_1", status, projections.Page{})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, row := range list.Items {
			all = append(all, row.ID+" "+string(row.Status)+" "+row.Totals.Due.Decimal())
		}
		return all
	}
	admin := delegation.Grants{User: "usr_9", Role: delegation.RoleAdmin}
	for name, c := range map[string]struct {
		who    delegation.Grants
		status string
		want   []string
	}{
		"of a customer hold no draft":       {owner("acc_1"), "", []string{"inv_3 credited 0.00", "inv_2 paid 0.00", "inv_1 partially_paid 10.00"}},
		"of a customer cannot be drafts":    {owner("acc_1"), "draft", nil},
		"unpaid are those paid in part too": {owner("acc_1"), "unpaid", []string{"inv_1 partially_paid 10.00"}},
		"of staff hold drafts":              {admin, "draft", []string{"inv_4 draft 12.00"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, ids(c.who, c.status)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("list what was received", func(t *testing.T) {
		t.Parallel()
		row, err := side.Reader.Invoice(t.Context(), owner("acc_1"), "acc_1", "inv_1")
		want := []invoice.PaymentAllocated{{Amount: money.EUR(200), Remaining: money.EUR(1000), Reference: "x", ReceivedOn: "2026-11-24"}}
		if diff := cmp.Diff(want, row.Payments); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
	t.Run("have lines and a buyer", func(t *testing.T) {
		t.Parallel()
		got, err := side.Reader.Invoice(t.Context(), owner("acc_1"), "acc_1", "inv_1")
		if err != nil || len(got.Lines) != 1 || got.Buyer.Name != "Pierre Lannoy" || got.Number != "F2026-000001" || got.StreamRevision != 4 {
			t.Errorf("%+v %v", got, err)
		}
	})
	t.Run("of a customer hide a draft by its id", func(t *testing.T) {
		t.Parallel()
		if _, err := side.Reader.Invoice(t.Context(), owner("acc_1"), "acc_1", "inv_4"); domain.KindOf(err) != domain.KindMissing {
			t.Error(err)
		}
	})
}

func TestModelsOfAnAccount(t *testing.T) {
	t.Parallel()
	side := portal(t)
	ctx, mine, page := t.Context(), owner("acc_1"), projections.Page{}

	t.Run("tickets have their messages in order", func(t *testing.T) {
		t.Parallel()
		got, err := side.Reader.Ticket(ctx, mine, "acc_1", "tkt_1")
		if err != nil || got.Status != ticket.StatusClosed || got.ReopenUntil == nil || len(got.Messages) != 2 ||
			got.Messages[0].Message != "Help" || got.Messages[1].Author != "staff" {
			t.Errorf("%+v %v", got, err)
		}
	})
	t.Run("tickets are listed", func(t *testing.T) {
		t.Parallel()
		got, err := side.Reader.Tickets(ctx, mine, "acc_1", page)
		if err != nil || len(got.Items) != 2 || got.Items[0].ID != "tkt_2" {
			t.Errorf("%+v %v", got, err)
		}
	})
	t.Run("domain names, credit notes and notifications are listed", func(t *testing.T) {
		t.Parallel()
		names, err := side.Reader.DomainNames(ctx, mine, "acc_1", page)
		if err != nil || len(names.Items) != 1 || names.Items[0].Name != "example.fr" {
			t.Errorf("%+v %v", names, err)
		}
		notes, err := side.Reader.CreditNotes(ctx, mine, "acc_1", page)
		if err != nil || len(notes.Items) != 1 || notes.Items[0].Number != "A2026-000001" {
			t.Errorf("%+v %v", notes, err)
		}
		told, err := side.Reader.Notifications(ctx, mine, "acc_1", page)
		if err != nil || len(told.Items) != 2 || told.Items[0].ReadAt == nil || told.Items[1].ReadAt != nil {
			t.Errorf("%+v %v", told, err)
		}
	})
	t.Run("a domain name is found by its name", func(t *testing.T) {
		t.Parallel()
		got, err := side.Reader.DomainName(ctx, mine, "acc_1", "Example.fr")
		if err != nil || got.ID != "dom_1" {
			t.Errorf("%+v %v", got, err)
		}
	})
	t.Run("the account says who it is", func(t *testing.T) {
		t.Parallel()
		got, err := side.Reader.Account(ctx, mine, "acc_1")
		if err != nil || got.Country != "FR" || got.StreamRevision != 2 {
			t.Errorf("%+v %v", got, err)
		}
	})
	t.Run("news and products are everybody's, drafts nobody's", func(t *testing.T) {
		t.Parallel()
		news, err := side.Reader.News(ctx, delegation.Grants{}, page)
		if err != nil || len(news.Items) != 4 || news.Items[0].Title != "Four" {
			t.Errorf("%+v %v", news, err)
		}
		if _, err := side.Reader.NewsItem(ctx, delegation.Grants{}, "ann_draft"); domain.KindOf(err) != domain.KindMissing {
			t.Error(err)
		}
		products, err := side.Reader.Products(ctx, delegation.Grants{}, page)
		if err != nil || len(products.Items) != 1 || products.Items[0].Code != "vps-5" {
			t.Errorf("%+v %v", products, err)
		}
	})
}

func TestRights(t *testing.T) {
	t.Parallel()
	side := portal(t)

	t.Run("of an owner reach the account", func(t *testing.T) {
		t.Parallel()
		got, err := side.Reader.Rights(t.Context(), "usr_1")
		if diff := cmp.Diff(owner("acc_1"), got); err != nil || diff != "" {
			t.Error(err, diff)
		}
		asked := delegation.Grants{User: "usr_1"}
		var b pgx.Batch
		projections.AskRights(&asked)(&b, "lower($1)", "USR_1")
		if err := side.DB.SendBatch(t.Context(), &b).Close(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(got, asked); diff != "" {
			t.Error("asked about an expression:", diff)
		}
		accounts, err := side.Reader.OwnAccounts(t.Context(), got)
		if err != nil || len(accounts) != 1 || accounts[0].Name != "Pierre Lannoy" || accounts[0].Role != "owner" {
			t.Errorf("%+v %v", accounts, err)
		}
		login, err := side.Reader.Login(t.Context(), got, "usr_1")
		if err != nil || login.Email != "p@example.com" {
			t.Errorf("%+v %v", login, err)
		}
	})
	t.Run("of staff are a role", func(t *testing.T) {
		t.Parallel()
		got, err := side.Reader.Rights(t.Context(), "usr_9")
		if err != nil || got.Role != delegation.RoleAdmin {
			t.Errorf("%+v %v", got, err)
		}
	})
	t.Run("of anybody else are none", func(t *testing.T) {
		t.Parallel()
		got, err := side.Reader.Rights(t.Context(), "usr_x")
		if err != nil || got.Role != "" || len(got.Accounts) != 0 {
			t.Errorf("%+v %v", got, err)
		}
	})
}

// TestQueriesAskForRights calls every query of an account as somebody who has
// another account: nothing must be seen of it.
func TestQueriesAskForRights(t *testing.T) {
	t.Parallel()
	side := portal(t)
	r, stranger := side.Reader, owner("acc_2")
	page := projections.Page{}
	for name, query := range map[string]func() error{
		"dashboard": func() error { _, err := r.Dashboard(t.Context(), stranger, "acc_1"); return err },
		"services":  func() error { _, err := r.Services(t.Context(), stranger, "acc_1", page); return err },
		"service":   func() error { _, err := r.Service(t.Context(), stranger, "acc_2", "hst_1"); return err },
		"domains":   func() error { _, err := r.DomainNames(t.Context(), stranger, "acc_1", page); return err },
		"contacts":  func() error { _, err := r.Contacts(t.Context(), stranger, "acc_1", page); return err },
		"contact":   func() error { _, err := r.Contact(t.Context(), stranger, "acc_2", "ctc_1"); return err },
		"contacts to choose": func() error {
			_, err := r.ContactsToChoose(t.Context(), stranger, "acc_1")
			return err
		},
		"domain":        func() error { _, err := r.DomainName(t.Context(), stranger, "acc_2", "example.fr"); return err },
		"invoices":      func() error { _, err := r.Invoices(t.Context(), stranger, "acc_1", "", page); return err },
		"invoice":       func() error { _, err := r.Invoice(t.Context(), stranger, "acc_2", "inv_1"); return err },
		"credit notes":  func() error { _, err := r.CreditNotes(t.Context(), stranger, "acc_1", page); return err },
		"credit note":   func() error { _, err := r.CreditNote(t.Context(), stranger, "acc_2", "crn_1"); return err },
		"tickets":       func() error { _, err := r.Tickets(t.Context(), stranger, "acc_1", page); return err },
		"ticket":        func() error { _, err := r.Ticket(t.Context(), stranger, "acc_2", "tkt_1"); return err },
		"notifications": func() error { _, err := r.Notifications(t.Context(), stranger, "acc_1", page); return err },
		"account":       func() error { _, err := r.Account(t.Context(), stranger, "acc_1"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := query(); domain.KindOf(err) != domain.KindMissing {
				t.Errorf("got %v, want that it is missing", err)
			}
		})
	}
	t.Run("staff's lists", func(t *testing.T) {
		t.Parallel()
		if _, err := r.StaffTickets(t.Context(), stranger, page); err == nil {
			t.Error("a customer listed everybody's tickets")
		}
		if _, err := r.StaffAccounts(t.Context(), stranger, "", page); err == nil {
			t.Error("a customer listed everybody's accounts")
		}
	})
}

func TestEveryModelRebuildsEqual(t *testing.T) {
	t.Parallel()
	portal(t).RebuildsEqual()
}
