// Package catalog is the list of every event ever written: name, decoder and
// who may see it. The codec reads it at start; the files in golden pin each
// event's JSON for good.
//
// Adding an aggregate means adding its line here. A test names what is missing.
package catalog

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/announcement"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/audit"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/demo"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/notification"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/domain/roster"
	"github.com/hostfold/hostfold/domain/seller"
	"github.com/hostfold/hostfold/domain/series"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/domain/user"
)

// Types is every event type, aggregate by aggregate.
func Types() []domain.Type {
	return slices.Concat(
		account.Decider.Types,
		announcement.Decider.Types,
		apitoken.Decider.Types,
		audit.Decider.Types,
		contact.Decider.Types,
		creditnote.Decider.Types,
		delegation.Decider.Types,
		demo.Decider.Types,
		domainname.Decider.Types,
		hosting.Decider.Types,
		impersonation.Decider.Types,
		inspection.Decider.Types,
		invoice.Decider.Types,
		message.Decider.Types,
		notification.Decider.Types,
		privacy.Decider.Types,
		product.Decider.Types,
		reservation.Decider.Types,
		roster.Decider.Types,
		seller.Decider.Types,
		series.Decider.Types,
		staff.Decider.Types,
		subjectkey.Decider.Types,
		ticket.Decider.Types,
		user.Decider.Types,
	)
}
