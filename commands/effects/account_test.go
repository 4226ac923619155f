package effects_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/projections/migrations"
)

// templates are those of all mails that were queued, sorted.
func (c *company) templates() (found []string) {
	c.t.Helper()
	for r, err := range c.Store.ReadAll(c.t.Context(), eventstore.Start) {
		if err != nil {
			c.t.Fatal(err)
		}
		if r.Type != (message.Queued{}).EventType() {
			continue
		}
		e, _, err := c.Codec.Decode(c.t.Context(), r)
		if err != nil {
			c.t.Fatal(err)
		}
		if q, ok := e.(message.Queued); ok {
			found = append(found, q.Template)
		}
	}
	slices.Sort(found)
	return found
}

// choose switches classes of mail on or off.
func (c *company) choose(services, tickets, news bool) {
	c.t.Helper()
	run(c, commands.UpdateAccount{AccountID: "acc_1", Communication: &account.Choice{Services: &services, Tickets: &tickets, News: &news}})
}

// happen has something of every class happen to acc_1, and an invoice last.
func (c *company) happen(code string) {
	c.t.Helper()
	ctx, system := c.t.Context(), func() commands.Call {
		call := commandtest.SystemCall()
		call.Account = "acc_1"
		return call
	}
	must := func(r commands.Receipt, err error) commands.Receipt {
		c.t.Helper()
		if err != nil {
			c.t.Fatal(err)
		}
		return r
	}
	vps := must(c.CreateProduct(ctx, commandtest.SystemCall(), commands.CreateProduct{Code: code, Name: "VPS", Prices: []product.Price{{Cycle: product.Monthly, Price: money.EUR(1000)}}}))
	service := must(commands.Execute(ctx, c.Dispatcher, system(), commands.CreateService{AccountID: "acc_1", Product: vps.ID, Label: "hst-test.eu", Cycle: product.Monthly}))
	must(commands.Execute(ctx, c.Dispatcher, system(), commands.ActivateService{ServiceID: service.ID}))
	must(commands.Execute(ctx, c.Dispatcher, system(), commands.SuspendService{ServiceID: service.ID, Reason: "abuse"}))
	must(commands.Execute(ctx, c.Dispatcher, system(), commands.SuspendService{ServiceID: service.ID, Reason: "overdue"})) // is suspended already
	tkt := must(c.OpenTicket(ctx, system(), commands.OpenTicket{AccountID: "acc_1", Department: ticket.Technical, Priority: ticket.Normal, Subject: "Help", Message: "Please"}))
	must(commands.Execute(ctx, c.Dispatcher, system(), commands.StaffReplyTicket{TicketID: tkt.ID, Message: "Here"}))
	now := time.Now()
	must(commands.Execute(ctx, c.Dispatcher, commandtest.SystemCall(), commands.PublishAnnouncement{Title: "Maintenance", Body: "Tonight.", PublishedAt: &now}))
	if err := c.issue(c.draft()); err != nil {
		c.t.Fatal(err)
	}
}

func TestMailFollowsTheChoiceOfTheAccountWhenItHappened(t *testing.T) {
	t.Parallel()
	_, sink := office(t)
	c := newCompany(t, sink)
	c.start()
	c.choose(false, false, false)
	c.happen("vps-1")
	// The suspension and the invoice are legal. Choosing more now brings nothing
	// of what happened before.
	c.choose(true, true, true)
	c.happen("vps-2")
	c.waitFor("message.queued.", 2+5)
	c.stop()
	want := []string{
		"invoice_issued", "invoice_issued", "news_published", "service_changed", "service_changed", "service_changed", "ticket_answered",
	}
	if diff := cmp.Diff(want, c.templates()); diff != "" {
		t.Error(diff)
	}
	if _, err := c.db.Exec(t.Context(), `DROP SCHEMA read, feed, river, web CASCADE`); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(t.Context(), c.db); err != nil {
		t.Fatal(err)
	}
	c.db.Reset()
	c.start()
	if err := c.issue(c.draft()); err != nil { // its mail comes after what the rebuilt lane asked for
		t.Fatal(err)
	}
	c.waitFor("message.queued.", 8)
	c.stop()
	if diff := cmp.Diff(append([]string{"invoice_issued"}, want...), c.templates()); diff != "" {
		t.Errorf("reading the log anew brought other mail: %s", diff)
	}
}

func TestClosingIsAnsweredAndToldByMail(t *testing.T) {
	t.Parallel()
	_, sink := office(t)
	c := newCompany(t, sink)
	c.choose(false, false, false)
	c.start()
	ask := func() {
		t.Helper()
		call := commandtest.SystemCall()
		call.Account = "acc_1"
		if _, err := c.RequestClosing(t.Context(), call, commands.RequestClosing{AccountID: "acc_1"}); err != nil {
			t.Fatal(err)
		}
	}
	draft := c.draft()
	ask()
	refused := string(c.waitFor("account.closing_refused.", 1)[0].Data)
	if refused != `{"why":["unpaid_invoices"]}` {
		t.Errorf("refused with %s", refused)
	}
	if _, err := commands.Execute(t.Context(), c.Dispatcher, commandtest.StaffCall("acc_1"), commands.DiscardInvoice{InvoiceID: draft}); err != nil {
		t.Fatal(err)
	}
	ask()
	c.waitFor("account.closed.", 1)
	run(c, commands.ReopenAccount{AccountID: "acc_1"})
	c.waitFor("message.queued.", 5)
	c.stop()
	var elsewhere int
	err := c.db.QueryRow(t.Context(), `SELECT count(*) FROM river.river_job WHERE kind = 'answer_closing' AND queue <> 'closing'`).Scan(&elsewhere)
	if err != nil || elsewhere > 0 {
		t.Errorf("%d answers in the queue of mails, %v", elsewhere, err)
	}
	if diff := cmp.Diff(slices.Repeat([]string{"account_closing"}, 5), c.templates()); diff != "" {
		t.Error(diff)
	}
}
