package series_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/series"
)

func TestAllocate(t *testing.T) {
	t.Parallel()
	allocate := func(document string, today domain.Date) func(series.Series) ([]series.Event, error) {
		return func(s series.Series) ([]series.Event, error) {
			return s.Allocate(series.Invoice, 2026, document, today)
		}
	}
	opened := series.Opened{Kind: series.Invoice, Year: 2026}
	first := series.NumberAllocated{Number: "F2026-000001", Sequence: 1, Document: "inv_1", IssueDate: "2026-01-31"}

	t.Run("opens the series and counts without a gap", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, series.Decider).
			When(allocate("inv_1", "2026-01-31")).Then(opened, first).
			When(allocate("inv_2", "2026-02-01")).
			Then(series.NumberAllocated{Number: "F2026-000002", Sequence: 2, Document: "inv_2", IssueDate: "2026-02-01"})
	})
	t.Run("gives a document one number for ever", func(t *testing.T) {
		t.Parallel()
		done := domaintest.For(t, series.Decider).Given(opened, first)
		done.When(allocate("inv_1", "2026-06-01")).ThenNothing()
		if got, ok := done.State().Of("inv_1"); !ok || got.Number != "F2026-000001" || got.IssueDate != "2026-01-31" {
			t.Errorf("inv_1 has %v, %v", got, ok)
		}
	})
	t.Run("never dates back", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, series.Decider).Given(opened, first).When(allocate("inv_2", "2026-01-30")).
			Then(series.NumberAllocated{Number: "F2026-000002", Sequence: 2, Document: "inv_2", IssueDate: "2026-01-31"})
	})
	t.Run("refuses a clock that is behind by more than a day", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, series.Decider).Given(opened, first).When(allocate("inv_2", "2026-01-29")).Refused(series.ErrClockBehind)
	})
	t.Run("stays within its year", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, series.Decider).When(allocate("inv_1", "2027-01-01")).Refused(series.ErrWrongYear)
		domaintest.For(t, series.Decider).When(allocate("inv_1", "")).Refused(series.ErrWrongYear)
	})
	t.Run("prints credit notes apart", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, series.Decider).
			When(func(s series.Series) ([]series.Event, error) {
				return s.Allocate(series.CreditNote, 2027, "crn_1", "2027-01-01")
			}).
			Then(series.Opened{Kind: series.CreditNote, Year: 2027},
				series.NumberAllocated{Number: "A2027-000001", Sequence: 1, Document: "crn_1", IssueDate: "2027-01-01"})
	})
	t.Run("has a stream per kind and year", func(t *testing.T) {
		t.Parallel()
		if got := series.Decider.At(series.ID(series.CreditNote, 2026)).Stream(); got != "series-credit_note-2026" {
			t.Errorf("stream %s", got)
		}
	})
}
