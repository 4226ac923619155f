package invoice

import (
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
)

// PaymentAllocated says that money received was matched to the invoice.
type PaymentAllocated struct {
	Amount money.Amount `json:"amount"`
	// Remaining is the outcome, so that no reader repeats the sum.
	Remaining money.Amount `json:"remaining"`
	// Reference is what the bank says of the transfer; it may name people.
	Reference  string      `json:"reference" personal:"account,fiscal"`
	ReceivedOn domain.Date `json:"received_on"`
}

// EventType is the name on disk.
func (PaymentAllocated) EventType() string { return "invoice.payment_allocated.v1" }

// Public is the payment as the account sees it.
func (e PaymentAllocated) Public() any { return e }

func (e PaymentAllocated) apply(inv Invoice) Invoice {
	inv.Status, inv.Due = StatusPartiallyPaid, e.Remaining
	inv.Payments = append(slices.Clip(inv.Payments), Payment{Amount: e.Amount, Reference: e.Reference, ReceivedOn: e.ReceivedOn})
	return inv
}

// Paid says that nothing is due any more.
type Paid struct {
	PaidOn domain.Date `json:"paid_on"`
	// Total is the invoice's gross sum.
	Total money.Amount `json:"total"`
}

// EventType is the name on disk.
func (Paid) EventType() string { return "invoice.paid.v1" }

// Public is the day and the sum.
func (e Paid) Public() any { return e }

func (Paid) apply(inv Invoice) Invoice {
	inv.Status = StatusPaid
	return inv
}

// Payment is money that was matched to an invoice.
type Payment struct {
	Amount     money.Amount
	Reference  string
	ReceivedOn domain.Date
}

// Pay matches a payment to an open invoice. The money was received on a day
// that is over or runs now, where the seller is. The same sum under the same
// reference on the same day is one payment that is told twice: instalments may
// share a reference, since customers write the invoice's number there.
func (inv Invoice) Pay(amount money.Amount, reference string, receivedOn domain.Date, now time.Time) ([]Event, error) {
	switch {
	case inv.Status == StatusNone:
		return nil, ErrMissing
	case inv.Status != StatusUnpaid && inv.Status != StatusPartiallyPaid:
		return nil, ErrNotOpen
	}
	today, err := domain.In(inv.Content.Seller.Zone, now)
	if err != nil {
		return nil, err
	}
	var c domain.Check
	reference = c.Line("reference", reference, 140)
	c.That(receivedOn.Valid() && !receivedOn.After(today), "received_on", "must be a date that is not in the future")
	c.That(amount.Sign() > 0, "amount", "must be above zero")
	if err := c.Err(); err != nil {
		return nil, err
	}
	if amount.Currency() != inv.Due.Currency() {
		return nil, ErrCurrency
	}
	if slices.Contains(inv.Payments, Payment{Amount: amount, Reference: reference, ReceivedOn: receivedOn}) {
		return nil, ErrPaymentKnown
	}
	remaining, err := inv.Due.Sub(amount)
	if err != nil || remaining.Sign() < 0 {
		return nil, ErrOverpaid
	}
	paid := PaymentAllocated{Amount: amount, Remaining: remaining, Reference: reference, ReceivedOn: receivedOn}
	if remaining.Sign() > 0 {
		return []Event{paid}, nil
	}
	return []Event{paid, Paid{PaidOn: receivedOn, Total: inv.Gross()}}, nil
}
