package creditnote_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/money"
)

func TestIssue(t *testing.T) {
	t.Parallel()
	totals := invoice.Totals{Net: money.EUR(1000), VAT: money.EUR(200), Gross: money.EUR(1200)}
	content := invoice.Content{Currency: "EUR", Totals: totals}
	billed := invoice.Invoice{Account: "acc_1", Number: "F2026-000001", IssuedOn: "2026-01-31", Content: content}
	request := func(inv invoice.Invoice, cents int64) func(creditnote.CreditNote) ([]creditnote.Event, error) {
		return func(n creditnote.CreditNote) ([]creditnote.Event, error) {
			return n.RequestIssue("inv_1", inv, money.EUR(cents), "Erreur")
		}
	}
	number := func(n string) func(creditnote.CreditNote) ([]creditnote.Event, error) {
		return func(c creditnote.CreditNote) ([]creditnote.Event, error) { return c.Issue(n, "2026-02-01") }
	}
	requested := creditnote.IssueRequested{
		Account: "acc_1", Invoice: "inv_1", InvoiceNumber: "F2026-000001", InvoiceIssuedOn: "2026-01-31", Reason: "Erreur", Content: content,
	}
	issued := creditnote.Issued{
		Account: "acc_1", Number: "A2026-000001", IssuedOn: "2026-02-01", Invoice: "inv_1", InvoiceNumber: "F2026-000001", Totals: totals,
	}

	t.Run("freezes the invoice's content, then takes the number", func(t *testing.T) {
		t.Parallel()
		done := domaintest.For(t, creditnote.Decider).
			When(request(billed, 1200)).Then(requested).
			When(number("A2026-000001")).Then(issued)
		done.When(request(billed, 1200)).ThenNothing()
		done.When(number("A2026-000001")).ThenNothing()
		done.When(number("A2026-000002")).Refused(creditnote.ErrNumbered)
	})
	t.Run("needs an issued invoice and its whole sum", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, creditnote.Decider).When(request(invoice.Invoice{}, 1200)).Refused(invoice.ErrNotIssued)
		domaintest.For(t, creditnote.Decider).When(request(billed, 1199)).Refused(creditnote.ErrPartial)
	})
	t.Run("is against one invoice", func(t *testing.T) {
		t.Parallel()
		other := requested
		other.Invoice = "inv_2"
		domaintest.For(t, creditnote.Decider).Given(other).When(request(billed, 1200)).Refused(creditnote.ErrOther)
	})
	t.Run("gets no number before it is frozen", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, creditnote.Decider).When(number("A2026-000001")).Refused(creditnote.ErrNotFrozen)
	})
}
