package projections

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/eventstore"
)

// erasureTypes are the events after which rows are redacted.
func erasureTypes() []string {
	return []string{anyVersion(nameOf[privacy.SubjectKeyDestroyed]()), anyVersion(nameOf[privacy.ErasureCompleted]())}
}

// goneIn are the keys of which an event says that they were destroyed.
func goneIn(e domain.Event) []privacy.Gone {
	switch fact := e.(type) {
	case privacy.SubjectKeyDestroyed:
		return []privacy.Gone{privacy.Gone(fact)}
	case privacy.ErasureCompleted:
		return fact.Keys
	}
	return nil
}

// onErased changes the row that is a subject's own when its key for a purpose
// was destroyed: in memory, so that it holds within a batch too. It is told
// twice, by the destruction and by the end of the erasure.
func onErased[R any](purpose subjectkey.Purpose, redact func(row *R)) []Handler[R] {
	keys := func(gone []privacy.Gone) []string {
		var of []string
		for _, g := range gone {
			if g.Purpose == purpose {
				of = append(of, g.Subject)
			}
		}
		slices.Sort(of)
		return slices.Compact(of)
	}
	change := func(rows *Rows[R], gone []privacy.Gone) {
		for _, key := range keys(gone) {
			if row, ok := rows.Find(key); ok {
				redact(row)
			}
		}
	}
	return []Handler[R]{
		OnKey(func(e privacy.SubjectKeyDestroyed, _ Meta) []string { return keys(goneIn(e)) },
			func(rows *Rows[R], e privacy.SubjectKeyDestroyed, _ Meta) { change(rows, goneIn(e)) }),
		OnKey(func(e privacy.ErasureCompleted, _ Meta) []string { return keys(goneIn(e)) },
			func(rows *Rows[R], e privacy.ErasureCompleted, _ Meta) { change(rows, goneIn(e)) }),
	}
}

// erase makes texts read as they do once their key is gone; nothing was never
// encrypted and stays nothing.
func erase(texts ...*string) {
	for _, t := range texts {
		if *t != "" {
			*t = eventstore.Erased
		}
	}
}

func eraseAddress(a *account.Address) { erase(&a.Line1, &a.Line2, &a.PostalCode, &a.City) }
