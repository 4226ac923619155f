package portal_test

import (
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/notification"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/domain/seller"
	"github.com/hostfold/hostfold/domain/ticket"
)

// seed is a house whose customer Pierre has what the screenshot of the seed
// shows, and who is logged in as pierre@example.com.
type seed struct {
	*house
	account, user string
	// other is a user who has proven no address and has no account.
	other            string
	services         []string
	unpaid           []string
	paid, part       string
	ticket, notified string
}

func seeded(t *testing.T) *seed {
	t.Helper()
	s := &seed{house: open(t)}
	s.customer(t)
	s.hosting(t)
	s.billing(t)
	s.support(t)
	s.Settle()
	return s
}

// must is the receipt of a command that succeeds.
func must[R any](t *testing.T) func(R, error) R {
	t.Helper()
	return func(r R, err error) R {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func (s *seed) customer(t *testing.T) {
	t.Helper()
	done := must[commands.Receipt](t)
	ctx := t.Context()
	s.user = done(s.dispatcher.RegisterUser(ctx, demo("", time.Time{}, ""), commands.RegisterUser{
		Email: "pierre@example.com", Password: password, Name: "Pierre Lannoy", Locale: "fr", Vouched: true,
	})).ID
	s.account = s.opens(t, s.user, "Pierre Lannoy")
	s.other = done(s.dispatcher.RegisterUser(ctx, demo("", time.Time{}, ""), commands.RegisterUser{
		Email: "other@example.com", Password: password, Name: "Other", Locale: "en",
	})).ID
	done(s.dispatcher.RegisterUser(ctx, demo("", time.Time{}, ""), commands.RegisterUser{
		Email: "anna@example.com", Password: password, Name: "Anna", Locale: "fr", Vouched: true,
	}))
}

func (h *house) opens(t *testing.T, owner, name string) string {
	t.Helper()
	return must[commands.Receipt](t)(commands.Execute(t.Context(), h.dispatcher, demo("", time.Time{}, ""), commands.OpenAccount{
		Owner: owner, Name: name, Kind: account.Individual, Country: "FR", Currency: "EUR",
		Address: account.Address{Line1: "5 rue de la Paix", PostalCode: "75002", City: "Paris"},
	})).ID
}

func (s *seed) hosting(t *testing.T) {
	t.Helper()
	done := must[commands.Receipt](t)
	ctx := t.Context()
	vps := done(s.dispatcher.CreateProduct(ctx, system(""), commands.CreateProduct{
		Code: "vps-5", Name: "Hébergement Web - VPS-5", Prices: []product.Price{{Cycle: product.Yearly, Price: money.EUR(119880)}},
	})).ID
	for _, label := range []string{"hst-test.eu", "hst-test.fr"} {
		id := done(commands.Execute(ctx, s.dispatcher, system(s.account), commands.CreateService{
			AccountID: s.account, Product: vps, Label: label, Cycle: product.Yearly,
		})).ID
		done(commands.Execute(ctx, s.dispatcher, system(s.account), commands.ActivateService{ServiceID: id}))
		s.services = append(s.services, id)
	}
	for _, name := range []string{"hst-test.eu", "hst-test.fr", "hst-test.com", "hst-test.net", "hst-test.org", "exemple-au-nom-assez-long-pour-deborder.fr"} {
		done(s.dispatcher.RecordDomain(ctx, system(s.account), commands.RecordDomain{
			AccountID: s.account, Name: name, RegisteredOn: "2022-08-26", ExpiresOn: "2027-08-26",
		}))
	}
}

func (s *seed) billing(t *testing.T) {
	t.Helper()
	done := must[commands.Receipt](t)
	ctx := t.Context()
	done(commands.Execute(ctx, s.dispatcher, system(""), commands.SetSeller{Details: seller.Details{
		Name: "Hostfold Démo", LegalForm: "SAS", ShareCapital: money.EUR(1000000), SIREN: "123456782", RCS: "Lille",
		VATNumber: "FR32123456782", Email: "facturation@example.com",
		Address: seller.Address{Line1: "12 rue des Hébergeurs", PostalCode: "59000", City: "Lille", Country: "FR"},
	}}))
	for range 4 {
		id := done(commands.Execute(ctx, s.dispatcher, system(s.account), commands.DraftInvoice{AccountID: s.account, Lines: []invoice.NewLine{
			{Description: "Hébergement Web - VPS-5, hst-test.eu", Quantity: "1", UnitPrice: money.EUR(119880), VATRate: "20", Period: &invoice.Period{From: "2026-08-26", To: "2027-08-25"}},
			{Description: "Livre blanc", Quantity: "2.5", UnitPrice: money.EUR(1428), VATRate: "5.5"},
		}})).ID
		must[commands.IssuedInvoice](t)(s.dispatcher.IssueInvoice(ctx, system(s.account), commands.IssueInvoice{InvoiceID: id}))
		s.unpaid = append(s.unpaid, id)
	}
	pay := func(id string, cents int64) {
		done(commands.Execute(ctx, s.dispatcher, system(s.account), commands.RecordPayment{
			InvoiceID: id, Amount: money.EUR(cents), Reference: "VIR 7781", ReceivedOn: "2026-11-01",
		}))
	}
	s.paid, s.part, s.unpaid = s.unpaid[0], s.unpaid[1], s.unpaid[1:]
	pay(s.paid, 147622)
	pay(s.part, 50000)
}

func (s *seed) support(t *testing.T) {
	t.Helper()
	done := must[commands.Receipt](t)
	ctx := t.Context()
	day := func(month time.Month, d, hour, minute int) time.Time {
		year := 2022
		if month == time.January {
			year = 2023
		}
		return time.Date(year, month, d, hour, minute, 0, 0, time.UTC)
	}
	s.ticket = done(s.dispatcher.OpenTicket(ctx, demo(s.account, day(time.November, 20, 11, 2), "HPJ-613904"), commands.OpenTicket{
		AccountID: s.account, Department: ticket.Technical, Priority: ticket.Normal, Subject: "Test de ticket",
		Message: "Bonjour,\n\nCeci est un test de ticket : pouvez-vous confirmer sa bonne réception ?\n\nMerci d’avance.",
	})).ID
	done(commands.Execute(ctx, s.dispatcher, demo(s.account, day(time.November, 20, 12, 10), ""), commands.StaffReplyTicket{
		TicketID: s.ticket, Message: "Bonjour Pierre,\n\nBien reçu ! Nous restons à votre disposition.",
	}))
	done(commands.Execute(ctx, s.dispatcher, demo(s.account, day(time.November, 20, 12, 13), ""), commands.StaffCloseTicket{TicketID: s.ticket}))
	for _, n := range []struct {
		at    time.Time
		title string
	}{
		{day(time.December, 30, 9, 0), "Noms de domaines"}, {day(time.January, 5, 9, 0), "Certificats SSL"}, {day(time.January, 8, 9, 0), "État des services"},
	} {
		done(commands.Execute(ctx, s.dispatcher, demo("", n.at, ""), commands.PublishAnnouncement{
			Title: n.title, Body: "Une nouvelle page est *en ligne*.\n\n- incidents en cours\n- maintenances prévues", PublishedAt: &n.at,
		}))
	}
	s.notified = done(commands.Execute(ctx, s.dispatcher, demo(s.account, day(time.January, 8, 9, 30), ""), commands.Notify{
		AccountID: s.account, Class: notification.Info, Title: "Bienvenue dans votre espace client", Body: "Vos services sont actifs.",
	})).ID
}

// events counts those of a stream.
func (s *seed) events(t *testing.T, stream string) (n int) {
	t.Helper()
	for _, err := range s.Store.ReadStream(t.Context(), stream, 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func (s *seed) suspend(t *testing.T, service string, why hosting.Reason) {
	t.Helper()
	must[commands.Receipt](t)(commands.Execute(t.Context(), s.dispatcher, system(s.account), commands.SuspendService{ServiceID: service, Reason: why}))
	s.Settle()
}

func (s *seed) notify(t *testing.T) {
	t.Helper()
	must[commands.Receipt](t)(commands.Execute(t.Context(), s.dispatcher, system(s.account), commands.Notify{
		AccountID: s.account, Class: notification.Billing, Title: "Une facture est disponible",
		Related: &notification.Related{Kind: "invoice", ID: s.paid},
	}))
}

// grants are Pierre's.
func (s *seed) grants() delegation.Grants {
	return delegation.Grants{User: s.user, Accounts: map[string]delegation.Grant{s.account: {Owner: true}}}
}

// year is that of the invoices' numbers.
func (s *seed) year() string { return time.Now().In(paris).Format("2006") }

var paris = func() *time.Location {
	zone, err := time.LoadLocation(seller.DefaultZone)
	if err != nil {
		panic(err)
	}
	return zone
}()
