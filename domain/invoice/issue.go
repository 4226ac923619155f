package invoice

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/seller"
)

// IssueRequested freezes what the invoice says. A number must follow, and does
// even after a crash.
type IssueRequested struct {
	Content Content `json:"content"`
}

// EventType is the name on disk.
func (IssueRequested) EventType() string { return "invoice.issue_requested.v2" }

func (e IssueRequested) apply(inv Invoice) Invoice {
	inv.Status, inv.Content = StatusIssuing, e.Content
	return inv
}

// Issued says that the invoice has its number and is owed.
type Issued struct {
	Account      string      `json:"account"`
	Number       string      `json:"number"`
	IssuedOn     domain.Date `json:"issued_on"`
	DueOn        domain.Date `json:"due_on"`
	Totals       Totals      `json:"totals"`
	VATBreakdown []VAT       `json:"vat_breakdown"`
}

// EventType is the name on disk.
func (Issued) EventType() string { return "invoice.issued.v1" }

// Public is the invoice's head and sums.
func (e Issued) Public() any {
	return struct {
		Number       string      `json:"number"`
		IssuedOn     domain.Date `json:"issued_on"`
		DueOn        domain.Date `json:"due_on"`
		Totals       Totals      `json:"totals"`
		VATBreakdown []VAT       `json:"vat_breakdown"`
	}{e.Number, e.IssuedOn, e.DueOn, e.Totals, e.VATBreakdown}
}

func (e Issued) apply(inv Invoice) Invoice {
	inv.Status = StatusUnpaid
	inv.Number, inv.IssuedOn, inv.DueOn, inv.Due = e.Number, e.IssuedOn, e.DueOn, e.Totals.Gross
	return inv
}

// RequestIssue freezes the draft with the seller and the buyer as they are
// today. An invoice that is past it needs nothing, so that a broken issue can
// be taken up again.
func (inv Invoice) RequestIssue(from seller.Seller, to Buyer) ([]Event, error) {
	if inv.Status == StatusIssuing || inv.Issued() {
		return nil, nil
	}
	if err := inv.mustBeDraft(); err != nil {
		return nil, err
	}
	switch {
	case !from.IsConfigured():
		return nil, seller.ErrNotConfigured
	case len(inv.Lines) == 0:
		return nil, ErrNoLines
	}
	totals, breakdown, err := Sum(inv.Lines, inv.Currency)
	if err != nil {
		return nil, ErrTooLarge
	}
	if totals.Gross.Sign() < 0 {
		return nil, ErrNegative
	}
	return []Event{IssueRequested{Content: Content{
		Currency: inv.Currency, Seller: from.Details, Buyer: to, Lines: inv.Lines, Totals: totals, VATBreakdown: breakdown,
	}}}, nil
}

// Issue gives the frozen invoice the number and date that its series allocated.
// It is due on the date that staff chose, never before its issue, or after the
// seller's payment days. One that asks for nothing is paid at once.
func (inv Invoice) Issue(number string, on domain.Date) ([]Event, error) {
	switch {
	case inv.Number == number && inv.Issued():
		return nil, nil
	case inv.Issued():
		return nil, ErrNumbered
	case inv.Status != StatusIssuing:
		return nil, ErrNotFrozen
	}
	due := on.AddDays(inv.Content.Seller.PaymentDays)
	if inv.WantedDueOn != "" {
		due = max(inv.WantedDueOn, on)
	}
	issued := Issued{
		Account: inv.Account, Number: number, IssuedOn: on, DueOn: due,
		Totals: inv.Content.Totals, VATBreakdown: inv.Content.VATBreakdown,
	}
	if issued.Totals.Gross.Sign() == 0 {
		return []Event{issued, Paid{PaidOn: on, Total: issued.Totals.Gross}}, nil
	}
	return []Event{issued}, nil
}

// Gross is what the frozen invoice asks for.
func (inv Invoice) Gross() money.Amount { return inv.Content.Totals.Gross }
