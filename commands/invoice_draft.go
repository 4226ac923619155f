package commands

import (
	"cmp"
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/invoice"
)

// DraftInvoice begins an invoice for an account, with its first lines.
type DraftInvoice struct {
	InvoiceID string            `json:"-"`
	AccountID string            `json:"-"`
	Lines     []invoice.NewLine `json:"lines"`
	DueOn     domain.Date       `json:"due_on,omitempty"`
	// Buyer is the account as it is now.
	Buyer account.Account `json:"-"`
}

// Identify gives the invoice its id.
func (c DraftInvoice) Identify(newID func(kind string) string) DraftInvoice {
	c.InvoiceID = cmp.Or(c.InvoiceID, newID("inv"))
	return c
}

// Target is the new invoice.
func (c DraftInvoice) Target() invoice.Target { return invoice.Decider.At(c.InvoiceID) }

// Permission is that of the staff's billing.
func (DraftInvoice) Permission() domain.Permission { return delegation.StaffBilling }

// Gather reads the account, whose currency the invoice gets.
func (c DraftInvoice) Gather(ctx context.Context, s Streams) (DraftInvoice, error) {
	var err error
	c.Buyer, err = Load(ctx, s, account.Decider.At(c.AccountID))
	return c, err
}

// Decide drafts the invoice.
func (c DraftInvoice) Decide(inv invoice.Invoice, env Env) ([]invoice.Event, error) {
	if c.AccountID != env.Account {
		return nil, account.ErrMissing
	}
	if err := c.Buyer.MayTakeOn(); err != nil {
		return nil, err
	}
	return inv.Draft(c.AccountID, c.Buyer.Currency, c.DueOn, c.Lines)
}

// AddInvoiceLine adds a line to a draft.
type AddInvoiceLine struct {
	InvoiceID string `json:"-"`
	invoice.NewLine
}

// Target is the draft.
func (c AddInvoiceLine) Target() invoice.Target { return invoice.Decider.At(c.InvoiceID) }

// Permission is that of the staff's billing.
func (AddInvoiceLine) Permission() domain.Permission { return delegation.StaffBilling }

// Decide adds the line.
func (c AddInvoiceLine) Decide(inv invoice.Invoice, _ Env) ([]invoice.Event, error) {
	return inv.AddLine(c.NewLine)
}

// RemoveInvoiceLine takes a line out of a draft.
type RemoveInvoiceLine struct {
	InvoiceID string `json:"-"`
	Line      int    `json:"-"`
}

// Target is the draft.
func (c RemoveInvoiceLine) Target() invoice.Target { return invoice.Decider.At(c.InvoiceID) }

// Permission is that of the staff's billing.
func (RemoveInvoiceLine) Permission() domain.Permission { return delegation.StaffBilling }

// Decide removes the line.
func (c RemoveInvoiceLine) Decide(inv invoice.Invoice, _ Env) ([]invoice.Event, error) {
	return inv.RemoveLine(c.Line)
}

// DiscardInvoice gives a draft up.
type DiscardInvoice struct {
	InvoiceID string `json:"-"`
}

// Target is the draft.
func (c DiscardInvoice) Target() invoice.Target { return invoice.Decider.At(c.InvoiceID) }

// Permission is that of the staff's billing.
func (DiscardInvoice) Permission() domain.Permission { return delegation.StaffBilling }

// Decide discards the draft.
func (DiscardInvoice) Decide(inv invoice.Invoice, _ Env) ([]invoice.Event, error) {
	return inv.Discard()
}
