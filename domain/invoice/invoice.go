// Package invoice holds the rules of a bill, from draft to paid or credited.
//
// Issuing takes three appends: the content is frozen here, the number is given
// by domain/series, and the number is copied here. From the first of them on
// nothing of the content changes; what is wrong is set right by a credit note
// (domain/creditnote).
package invoice

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/money"
)

// Event is a fact about an invoice.
type Event interface {
	domain.Event
	apply(Invoice) Invoice
}

// Target is one invoice.
type Target = domain.Target[Invoice, Event]

// Decider folds an invoice's facts.
var Decider = domain.Decider[Invoice, Event]{
	Category: "invoice",
	Evolve:   func(inv Invoice, e Event) Invoice { return e.apply(inv) },
	Types: []domain.Type{
		domain.TypeOf[Drafted](),
		domain.TypeOf[LineAdded](),
		domain.TypeOf[LineRemoved](),
		domain.TypeOf[DraftDiscarded](),
		domain.TypeOf[IssueRequested]().Since("invoice.issue_requested.v1"),
		domain.PublicTypeOf[Issued](delegation.InvoicesRead),
		domain.PublicTypeOf[PaymentAllocated](delegation.InvoicesRead),
		domain.PublicTypeOf[Paid](delegation.InvoicesRead),
		domain.TypeOf[CreditRequested](),
		domain.PublicTypeOf[CreditApplied](delegation.InvoicesRead),
		domain.PublicTypeOf[Credited](delegation.InvoicesRead),
	},
}

// Status is where an invoice stands.
type Status string

// The states of an invoice; "" is one that does not exist. Issuing, the moment
// between frozen content and number, is shown as draft.
const (
	StatusNone          Status = ""
	StatusDraft         Status = "draft"
	StatusIssuing       Status = "issuing"
	StatusUnpaid        Status = "unpaid"
	StatusPartiallyPaid Status = "partially_paid"
	StatusPaid          Status = "paid"
	StatusCredited      Status = "credited"
	StatusDiscarded     Status = "discarded"
)

// Invoice is the state of an invoice.
type Invoice struct {
	Account  string
	Status   Status
	Currency string
	// Lines are the draft's lines; NextLine is the number of the next.
	Lines    []Line
	NextLine int
	// WantedDueOn is the due date that staff chose, if any.
	WantedDueOn domain.Date
	// Content is frozen when the issue is requested.
	Content  Content
	Number   string
	IssuedOn domain.Date
	DueOn    domain.Date
	// Due is what is still to be paid.
	Due money.Amount
	// Payments are those matched to it, in the order of their recording.
	Payments []Payment
	// Credits are the credit notes asked for, each with its amount.
	Credits []Credit
}

// OwnerAccount is the account that the invoice is for.
func (inv Invoice) OwnerAccount() string { return inv.Account }

// Issued reports whether the invoice has its number.
func (inv Invoice) Issued() bool { return inv.Number != "" }

// Errors of this aggregate.
var (
	ErrExists       = domain.Conflict("invoice_exists", "This invoice exists already.")
	ErrMissing      = domain.Missing("invoice")
	ErrNotDraft     = domain.Conflict("invoice_not_draft", "Only a draft can be changed; correct an issued invoice by a credit note.")
	ErrNoLines      = domain.Conflict("invoice_empty", "Add a line first.")
	ErrNotFrozen    = domain.Conflict("invoice_not_requested", "The content must be frozen before the invoice gets its number.")
	ErrNumbered     = domain.Conflict("invoice_numbered", "The invoice has another number already.")
	ErrNegative     = domain.Conflict("invoice_negative", "The total must not be negative; use a credit note.")
	ErrNotOpen      = domain.Conflict("invoice_not_open", "Nothing is to be paid on this invoice.")
	ErrOverpaid     = domain.Conflict("invoice_overpaid", "This is more than is due.")
	ErrCurrency     = domain.Conflict("invoice_currency", "The invoice is in another currency.")
	ErrPaymentKnown = domain.Conflict("invoice_payment_known", "A payment of this amount, reference and day is recorded already; give a second one a reference of its own.")
	ErrCredited     = domain.Conflict("invoice_credited", "The invoice is credited in full already.")
	ErrNotIssued    = domain.Conflict("invoice_not_issued", "Only an issued invoice can be credited.")
	ErrNoCredit     = domain.Conflict("invoice_credit_unknown", "The credit note was not asked for by this invoice.")
	ErrTooLarge     = domain.Conflict("invoice_too_large", "The total is too large.")
)
