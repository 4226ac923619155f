// Package series holds the numbers of legal documents: one series for invoices
// and one for credit notes, each beginning anew every year. A number is given
// when a document's content is frozen, never before, and never twice; dates in
// a series never go back.
package series

import (
	"fmt"
	"strconv"

	"github.com/hostfold/hostfold/domain"
)

// Event is a fact about a series.
type Event interface {
	domain.Event
	apply(Series) Series
}

// Target is one series.
type Target = domain.Target[Series, Event]

// Decider folds a series' facts.
var Decider = domain.Decider[Series, Event]{
	Category: "series",
	Evolve:   func(s Series, e Event) Series { return e.apply(s) },
	Types: []domain.Type{
		domain.TypeOf[Opened](),
		domain.TypeOf[NumberAllocated](),
	},
}

// Kind is the sort of document that a series numbers.
type Kind string

// The kinds of series.
const (
	Invoice    Kind = "invoice"
	CreditNote Kind = "credit_note"
)

// ID is the id of the series of a kind for the year of the issue date.
func ID(kind Kind, year int) string { return string(kind) + "-" + strconv.Itoa(year) }

// prefix begins the printed numbers of a kind.
func (k Kind) prefix() string {
	if k == CreditNote {
		return "A"
	}
	return "F"
}

// print is a number as documents show it: "F2026-000001".
func (k Kind) print(year, sequence int) string {
	return fmt.Sprintf("%s%d-%06d", k.prefix(), year, sequence)
}

// Allocation is what a document got.
type Allocation struct {
	Number    string
	IssueDate domain.Date
}

// Series is the state of one series. Folding adds to Documents in place, so a
// state is good until the next event is folded into it.
type Series struct {
	Kind Kind
	Year int
	// Last is the last sequence number, LastDate its issue date.
	Last     int
	LastDate domain.Date
	// Documents maps each document's id to what it got.
	Documents map[string]Allocation
}

// Of is what the document got, if it has a number.
func (s Series) Of(document string) (Allocation, bool) {
	a, ok := s.Documents[document]
	return a, ok
}

// Errors of this aggregate.
var (
	ErrClockBehind = domain.Conflict("clock_behind", "The clock is behind the last document of the series by more than a day.")
	ErrWrongYear   = domain.Conflict("wrong_series", "The issue date is not in the year of the series.")
)
