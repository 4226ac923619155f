package invoice

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
)

// Credit is one credit note against the invoice. It counts from the moment it
// is asked for, so that two at once cannot credit more than the invoice.
type Credit struct {
	CreditNote string
	Amount     money.Amount
	Applied    bool
}

// CreditRequested says that a credit note against the invoice must be issued.
type CreditRequested struct {
	CreditNote string       `json:"credit_note"`
	Amount     money.Amount `json:"amount"`
	Reason     string       `json:"reason" personal:"account,fiscal"`
}

// EventType is the name on disk.
func (CreditRequested) EventType() string { return "invoice.credit_requested.v1" }

func (e CreditRequested) apply(inv Invoice) Invoice {
	inv.Credits = append(slices.Clone(inv.Credits), Credit{CreditNote: e.CreditNote, Amount: e.Amount})
	return inv
}

// CreditApplied says that an issued credit note lowered what is due.
type CreditApplied struct {
	CreditNote string       `json:"credit_note"`
	Number     string       `json:"number"`
	Amount     money.Amount `json:"amount"`
	// Remaining is what is due after it; Surplus is what was paid before and
	// is now owed to the account.
	Remaining money.Amount `json:"remaining"`
	Surplus   money.Amount `json:"surplus"`
}

// EventType is the name on disk.
func (CreditApplied) EventType() string { return "invoice.credit_applied.v1" }

// Public is the credit as the account sees it.
func (e CreditApplied) Public() any { return e }

func (e CreditApplied) apply(inv Invoice) Invoice {
	inv.Due, inv.Credits = e.Remaining, slices.Clone(inv.Credits)
	for i := range inv.Credits {
		if inv.Credits[i].CreditNote == e.CreditNote {
			inv.Credits[i].Applied = true
		}
	}
	return inv
}

// Credited says that credit notes cover the whole invoice.
type Credited struct {
	Total money.Amount `json:"total"`
}

// EventType is the name on disk.
func (Credited) EventType() string { return "invoice.credited.v1" }

// Public is the sum credited.
func (e Credited) Public() any { return e }

func (Credited) apply(inv Invoice) Invoice {
	inv.Status = StatusCredited
	return inv
}

// RequestCredit asks for a credit note over all of the invoice that no other
// one covers. The same credit note again needs nothing.
func (inv Invoice) RequestCredit(creditNote, reason string) ([]Event, error) {
	if inv.Status == StatusNone {
		return nil, ErrMissing
	}
	if slices.ContainsFunc(inv.Credits, func(c Credit) bool { return c.CreditNote == creditNote }) {
		return nil, nil
	}
	if !inv.Issued() {
		return nil, ErrNotIssued
	}
	var c domain.Check
	reason = c.Text("reason", reason, 500)
	if err := c.Err(); err != nil {
		return nil, err
	}
	left := inv.Gross()
	for _, credit := range inv.Credits {
		var err error
		if left, err = left.Sub(credit.Amount); err != nil {
			return nil, ErrCredited
		}
	}
	if left.Sign() <= 0 {
		return nil, ErrCredited
	}
	return []Event{CreditRequested{CreditNote: creditNote, Amount: left, Reason: reason}}, nil
}

// ApplyCredit lowers what is due by a credit note that this invoice asked for
// and that has its number by now.
func (inv Invoice) ApplyCredit(creditNote, number string) ([]Event, error) {
	i := slices.IndexFunc(inv.Credits, func(c Credit) bool { return c.CreditNote == creditNote })
	switch {
	case i < 0:
		return nil, ErrNoCredit
	case inv.Credits[i].Applied:
		return nil, nil
	}
	amount := inv.Credits[i].Amount
	remaining, err := inv.Due.Sub(amount)
	if err != nil {
		return nil, err
	}
	applied := CreditApplied{CreditNote: creditNote, Number: number, Amount: amount, Remaining: remaining, Surplus: remaining.Zero()}
	if remaining.Sign() < 0 {
		applied.Remaining = remaining.Zero()
		if applied.Surplus, err = remaining.Zero().Sub(remaining); err != nil {
			return nil, err
		}
	}
	left := inv.Gross()
	for _, credit := range applied.apply(inv).Credits {
		if !credit.Applied {
			continue
		}
		if left, err = left.Sub(credit.Amount); err != nil {
			return nil, err
		}
	}
	if left.Sign() > 0 {
		return []Event{applied}, nil
	}
	return []Event{applied, Credited{Total: inv.Gross()}}, nil
}
