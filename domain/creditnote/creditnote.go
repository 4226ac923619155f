// Package creditnote holds the document that takes an issued invoice back. It
// is frozen, numbered by its own series and issued like an invoice; that all
// credit notes together stay within their invoice is the rule of the invoice
// (domain/invoice, RequestCredit).
package creditnote

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/invoice"
)

// Event is a fact about a credit note.
type Event interface {
	domain.Event
	apply(CreditNote) CreditNote
}

// Target is one credit note.
type Target = domain.Target[CreditNote, Event]

// Decider folds a credit note's facts.
var Decider = domain.Decider[CreditNote, Event]{
	Category: "creditnote",
	Evolve:   func(n CreditNote, e Event) CreditNote { return e.apply(n) },
	Types: []domain.Type{
		domain.TypeOf[IssueRequested]().Since("creditnote.issue_requested.v1"),
		domain.PublicTypeOf[Issued](delegation.InvoicesRead),
	},
}

// CreditNote is the state of a credit note.
type CreditNote struct {
	Account string
	// Invoice is the id of the invoice it takes back, InvoiceNumber its number.
	Invoice       string
	InvoiceNumber string
	Content       invoice.Content
	Number        string
	IssuedOn      domain.Date
}

// OwnerAccount is the account that the credit note is for.
func (n CreditNote) OwnerAccount() string { return n.Account }

// Errors of this aggregate.
var (
	ErrOther     = domain.Conflict("credit_note_exists", "This credit note is against another invoice.")
	ErrNotFrozen = domain.Conflict("credit_note_not_requested", "The content must be frozen before the credit note gets its number.")
	ErrNumbered  = domain.Conflict("credit_note_numbered", "The credit note has another number already.")
	ErrPartial   = domain.Conflict("credit_note_partial", "A credit note covers its whole invoice.")
)
