package creditnote

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/money"
)

// IssueRequested freezes what the credit note says: its invoice's content,
// whose sums it takes back.
type IssueRequested struct {
	Account         string          `json:"account"`
	Invoice         string          `json:"invoice"`
	InvoiceNumber   string          `json:"invoice_number"`
	InvoiceIssuedOn domain.Date     `json:"invoice_issued_on"`
	Reason          string          `json:"reason" personal:"account,fiscal"`
	Content         invoice.Content `json:"content"`
}

// EventType is the name on disk.
func (IssueRequested) EventType() string { return "creditnote.issue_requested.v2" }

func (e IssueRequested) apply(CreditNote) CreditNote {
	return CreditNote{Account: e.Account, Invoice: e.Invoice, InvoiceNumber: e.InvoiceNumber, Content: e.Content}
}

// Issued says that the credit note has its number.
type Issued struct {
	Account       string         `json:"account"`
	Number        string         `json:"number"`
	IssuedOn      domain.Date    `json:"issued_on"`
	Invoice       string         `json:"invoice"`
	InvoiceNumber string         `json:"invoice_number"`
	Totals        invoice.Totals `json:"totals"`
	VATBreakdown  []invoice.VAT  `json:"vat_breakdown"`
}

// EventType is the name on disk.
func (Issued) EventType() string { return "creditnote.issued.v1" }

// Public is the credit note's head and sums.
func (e Issued) Public() any {
	return struct {
		Number        string         `json:"number"`
		IssuedOn      domain.Date    `json:"issued_on"`
		Invoice       string         `json:"invoice"`
		InvoiceNumber string         `json:"invoice_number"`
		Totals        invoice.Totals `json:"totals"`
		VATBreakdown  []invoice.VAT  `json:"vat_breakdown"`
	}{e.Number, e.IssuedOn, e.Invoice, e.InvoiceNumber, e.Totals, e.VATBreakdown}
}

func (e Issued) apply(n CreditNote) CreditNote {
	n.Number, n.IssuedOn = e.Number, e.IssuedOn
	return n
}

// RequestIssue freezes a credit note over amount against an issued invoice
// that has asked for it. A repeat needs nothing.
func (n CreditNote) RequestIssue(invoiceID string, inv invoice.Invoice, amount money.Amount, reason string) ([]Event, error) {
	switch {
	case n.Invoice == invoiceID && invoiceID != "":
		return nil, nil
	case n.Invoice != "":
		return nil, ErrOther
	case !inv.Issued():
		return nil, invoice.ErrNotIssued
	case !amount.Equal(inv.Gross()):
		return nil, ErrPartial
	}
	return []Event{IssueRequested{
		Account: inv.Account, Invoice: invoiceID, InvoiceNumber: inv.Number, InvoiceIssuedOn: inv.IssuedOn,
		Reason: reason, Content: inv.Content,
	}}, nil
}

// Issue gives the frozen credit note the number and date that its series allocated.
func (n CreditNote) Issue(number string, on domain.Date) ([]Event, error) {
	switch {
	case n.Number == number && number != "":
		return nil, nil
	case n.Number != "":
		return nil, ErrNumbered
	case n.Invoice == "":
		return nil, ErrNotFrozen
	}
	return []Event{Issued{
		Account: n.Account, Number: number, IssuedOn: on, Invoice: n.Invoice, InvoiceNumber: n.InvoiceNumber,
		Totals: n.Content.Totals, VATBreakdown: n.Content.VATBreakdown,
	}}, nil
}
