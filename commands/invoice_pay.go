package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/money"
)

// RecordPayment matches money that was received to an open invoice.
type RecordPayment struct {
	InvoiceID  string       `json:"-"`
	Amount     money.Amount `json:"amount"`
	Reference  string       `json:"reference"`
	ReceivedOn domain.Date  `json:"received_on"`
}

// Target is the invoice.
func (c RecordPayment) Target() invoice.Target { return invoice.Decider.At(c.InvoiceID) }

// Permission is that of the staff's billing.
func (RecordPayment) Permission() domain.Permission { return delegation.StaffBilling }

// Decide allocates the payment.
func (c RecordPayment) Decide(inv invoice.Invoice, env Env) ([]invoice.Event, error) {
	return inv.Pay(c.Amount, c.Reference, c.ReceivedOn, env.Now)
}
