package privacy

import (
	"time"

	"github.com/hostfold/hostfold/domain"
)

// How long the law wants data kept after all else is erased.
const (
	// fiscalYears follow the close of the financial year, the calendar year
	// (code de commerce L123-22).
	fiscalYears = 10
	// identityYears follow the end of the contract (décret 2021-1362).
	identityYears = 5
)

// FiscalEnd is the day from which on invoices may be destroyed of which the
// last was issued, credited or paid in a year.
func FiscalEnd(last int) domain.Date { return domain.DateOf(last+fiscalYears+1, time.January, 1) }

// IdentityEnd is the day from which on the identity of whose contract ends now may
// be destroyed.
func IdentityEnd(now time.Time) domain.Date {
	now = now.UTC()
	return domain.DateOf(now.Year()+identityYears, now.Month(), now.Day()+1)
}

// HoldEnd is the first day on which a key that another's legal hold keeps by now
// is looked at again.
func HoldEnd(now time.Time) domain.Date {
	now = now.UTC()
	return domain.DateOf(now.Year(), now.Month(), now.Day()+1)
}
