package commands

import (
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/seller"
	"github.com/hostfold/hostfold/domain/series"
)

// IssueInvoice gives a draft its number: from then on it is owed.
type IssueInvoice struct {
	InvoiceID string `json:"-"`
}

// IssuedInvoice is an invoice with its number.
type IssuedInvoice struct {
	Receipt
	Number   string
	IssuedOn domain.Date
	DueOn    domain.Date
}

// IssueInvoice issues a draft by three appends: freeze the content, allocate
// the number, issue. Each is idempotent, so a process manager can finish what
// a crash broke off (FinishInvoice).
func (d *Dispatcher) IssueInvoice(ctx context.Context, call Call, cmd IssueInvoice) (IssuedInvoice, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	freeze := call
	freeze.CommandID = StepID(call.CommandID, "freeze")
	frozen, err := Execute(ctx, d, freeze, freezeInvoice{id: cmd.InvoiceID})
	if err != nil {
		return IssuedInvoice{}, err
	}
	issued, err := d.FinishInvoice(ctx, call, cmd.InvoiceID)
	issued.Replayed = frozen.Replayed // whoever finished it
	return issued, err
}

// FinishInvoice gives a frozen invoice its number; one that has it stays as it is.
func (d *Dispatcher) FinishInvoice(ctx context.Context, call Call, id string) (IssuedInvoice, error) {
	target := invoice.Decider.At(id)
	_, frozen, err := factOf[invoice.IssueRequested](ctx, d.Streams(), target, nil)
	if err != nil {
		return IssuedInvoice{}, err
	}
	inv, err := Load(ctx, d.Streams(), target)
	if err != nil {
		return IssuedInvoice{}, err
	}
	number, err := d.allocate(ctx, call, series.Invoice, id, inv.Content.Seller.Zone, frozen)
	if err != nil {
		return IssuedInvoice{}, err
	}
	receipt, err := Execute(ctx, d, call.Step("issue"), numberInvoice{id: id, allocation: number})
	if err != nil {
		return IssuedInvoice{}, err
	}
	inv, err = Load(ctx, d.Streams(), target)
	return IssuedInvoice{Receipt: receipt, Number: inv.Number, IssuedOn: inv.IssuedOn, DueOn: inv.DueOn}, err
}

// freezeInvoice is the first append: what the invoice says.
type freezeInvoice struct {
	id     string
	seller seller.Seller
	buyer  invoice.Buyer
}

func (c freezeInvoice) Target() invoice.Target      { return invoice.Decider.At(c.id) }
func (freezeInvoice) Permission() domain.Permission { return delegation.StaffBilling }

// Gather reads the seller and the buyer as they are now.
func (c freezeInvoice) Gather(ctx context.Context, s Streams) (freezeInvoice, error) {
	var err error
	if c.seller, err = Load(ctx, s, seller.Decider.At(seller.ID)); err != nil {
		return c, err
	}
	inv, err := Load(ctx, s, c.Target())
	if err != nil || inv.Account == "" {
		return c, err
	}
	a, err := Load(ctx, s, account.Decider.At(inv.Account))
	to := a.BillTo()
	c.buyer = invoice.Buyer{
		Name: to.Name, Kind: string(to.Kind), Line1: to.Address.Line1, Line2: to.Address.Line2,
		PostalCode: to.Address.PostalCode, City: to.Address.City, Country: to.Country,
		VATNumber: to.VATNumber, CompanyNumber: to.CompanyNumber,
	}
	return c, err
}

func (c freezeInvoice) Decide(inv invoice.Invoice, _ Env) ([]invoice.Event, error) {
	return inv.RequestIssue(c.seller, c.buyer)
}

// numberInvoice is the third append: the number that the series allocated.
type numberInvoice struct {
	id         string
	allocation series.Allocation
}

func (c numberInvoice) Target() invoice.Target      { return invoice.Decider.At(c.id) }
func (numberInvoice) Permission() domain.Permission { return delegation.System }

func (c numberInvoice) Decide(inv invoice.Invoice, _ Env) ([]invoice.Event, error) {
	return inv.Issue(c.allocation.Number, c.allocation.IssueDate)
}
