package commands

import (
	"context"
	"slices"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/series"
	"github.com/hostfold/hostfold/eventstore"
)

// CreditInvoice takes an issued invoice back by a credit note, the only way to
// correct it.
type CreditInvoice struct {
	InvoiceID string `json:"-"`
	Reason    string `json:"reason"`
}

// IssuedCredit is a credit note with its number. The receipt's id is the
// credit note's, its revision the invoice's.
type IssuedCredit struct {
	Receipt
	Number   string
	IssuedOn domain.Date
}

// CreditInvoice asks the invoice for the credit, issues the credit note by the
// three appends of any legal document, and lowers what is due.
func (d *Dispatcher) CreditInvoice(ctx context.Context, call Call, cmd CreditInvoice) (IssuedCredit, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	note := NewID(call.CommandID, "crn")
	request := call
	request.CommandID = StepID(call.CommandID, "request credit")
	requested, err := Execute(ctx, d, request, requestCredit{invoice: cmd.InvoiceID, note: note, reason: cmd.Reason})
	if err != nil {
		return IssuedCredit{}, err
	}
	issued, err := d.FinishCredit(ctx, call, cmd.InvoiceID, note)
	issued.Replayed = requested.Replayed // whoever finished it
	return issued, err
}

// FinishCredit issues a credit note that its invoice has asked for; one that is
// issued and applied stays as it is.
func (d *Dispatcher) FinishCredit(ctx context.Context, call Call, invoiceID, note string) (IssuedCredit, error) {
	target := creditnote.Decider.At(note)
	if _, err := Execute(ctx, d, call.Step("freeze"), freezeCredit{note: note, id: invoiceID}); err != nil {
		return IssuedCredit{}, err
	}
	_, frozen, err := factOf[creditnote.IssueRequested](ctx, d.Streams(), target, nil)
	if err != nil {
		return IssuedCredit{}, err
	}
	n, err := Load(ctx, d.Streams(), target)
	if err != nil {
		return IssuedCredit{}, err
	}
	number, err := d.allocate(ctx, call, series.CreditNote, note, n.Content.Seller.Zone, frozen)
	if err != nil {
		return IssuedCredit{}, err
	}
	if _, err := Execute(ctx, d, call.Step("issue"), numberCredit{id: note, allocation: number}); err != nil {
		return IssuedCredit{}, err
	}
	receipt, err := Execute(ctx, d, call.Step("apply"), applyCredit{invoice: invoiceID, note: note, number: number.Number})
	receipt.ID = note
	return IssuedCredit{Receipt: receipt, Number: number.Number, IssuedOn: number.IssueDate}, err
}

type requestCredit struct {
	invoice, note, reason string
	refusal               error
}

func (c requestCredit) Target() invoice.Target      { return invoice.Decider.At(c.invoice) }
func (requestCredit) Permission() domain.Permission { return delegation.StaffBilling }

// Gather looks whether the account is closed: staff open it again first.
func (c requestCredit) Gather(ctx context.Context, s Streams) (requestCredit, error) {
	inv, err := Load(ctx, s, c.Target())
	if err != nil || inv.Account == "" {
		return c, err
	}
	a, err := Load(ctx, s, account.Decider.At(inv.Account))
	c.refusal = a.MayChange()
	return c, err
}

func (c requestCredit) Decide(inv invoice.Invoice, _ Env) ([]invoice.Event, error) {
	if c.refusal != nil {
		return nil, c.refusal
	}
	return inv.RequestCredit(c.note, c.reason)
}

// freezeCredit is the first append: what the credit note says.
type freezeCredit struct {
	note, id string
	invoice  invoice.Invoice
	amount   money.Amount
	reason   string
}

func (c freezeCredit) Target() creditnote.Target   { return creditnote.Decider.At(c.note) }
func (freezeCredit) Permission() domain.Permission { return delegation.System }

// Gather reads the invoice and what it asked for.
func (c freezeCredit) Gather(ctx context.Context, s Streams) (freezeCredit, error) {
	var err error
	at := invoice.Decider.At(c.id)
	if c.invoice, err = Load(ctx, s, at); err != nil {
		return c, err
	}
	asked, _, err := factOf(ctx, s, at, func(e invoice.CreditRequested, _ eventstore.Meta) bool { return e.CreditNote == c.note })
	c.amount, c.reason = asked.Amount, asked.Reason
	return c, err
}

func (c freezeCredit) Decide(n creditnote.CreditNote, _ Env) ([]creditnote.Event, error) {
	if !slices.ContainsFunc(c.invoice.Credits, func(asked invoice.Credit) bool { return asked.CreditNote == c.note }) {
		return nil, invoice.ErrNoCredit
	}
	return n.RequestIssue(c.id, c.invoice, c.amount, c.reason)
}

// numberCredit is the third append: the number that the series allocated.
type numberCredit struct {
	id         string
	allocation series.Allocation
}

func (c numberCredit) Target() creditnote.Target   { return creditnote.Decider.At(c.id) }
func (numberCredit) Permission() domain.Permission { return delegation.System }

func (c numberCredit) Decide(n creditnote.CreditNote, _ Env) ([]creditnote.Event, error) {
	return n.Issue(c.allocation.Number, c.allocation.IssueDate)
}

// applyCredit lowers what is due on the invoice.
type applyCredit struct{ invoice, note, number string }

func (c applyCredit) Target() invoice.Target      { return invoice.Decider.At(c.invoice) }
func (applyCredit) Permission() domain.Permission { return delegation.System }

func (c applyCredit) Decide(inv invoice.Invoice, _ Env) ([]invoice.Event, error) {
	return inv.ApplyCredit(c.note, c.number)
}
