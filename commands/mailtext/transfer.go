package mailtext

import (
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/user"
)

// OwnershipTransfer asks whoever reads the mail of an address to own an account,
// in the language of its owner.
func (w Writer) OwnershipTransfer(accountID string, t account.Transfer, by user.User, accountName string) (message.Queued, error) {
	m, err := w.write(OwnershipTransfer, ownershipTransferVersion, t.ID, user.User{Email: t.Email, Locale: by.Locale}, map[string]any{
		"By": named(by.Name, ""), "Email": by.Email, "Account": named(accountName, accountID),
		"Link": w.secretLink("transfer"), "Until": dayOf(t.OpenUntil, by.Locale),
	})
	m.Account = accountID
	return m, err
}

// TransferStep is what happened to an offer of an account.
type TransferStep string

// The steps that owners hear of. An account that was given has a former owner,
// who hears that, and a new one, who has taken it.
const (
	TransferProposed TransferStep = "proposed"
	TransferDeclined TransferStep = "declined"
	TransferExpired  TransferStep = "expired"
	TransferGiven    TransferStep = "given"
	TransferTaken    TransferStep = "taken"
)

// TransferFacts are what a notice says beside the step.
type TransferFacts struct {
	// Until is how long the account is offered.
	Until time.Time
	// Keeps is true when the former owner keeps something.
	Keeps bool
}

// TransferNotice tells an owner, or a former one, what happened to the offer. The
// mail is under its reader's key: as DelegateLeft, it names nobody else.
func (w Writer) TransferNotice(id string, u user.User, of About, step TransferStep, f TransferFacts) (message.Queued, error) {
	link := w.link("portal", of.Account, "transfer")
	switch step {
	case TransferTaken:
		link = w.link("portal", of.Account, "account")
	case TransferGiven:
		link = w.link("portal")
	case TransferProposed, TransferDeclined, TransferExpired:
	}
	m, err := w.about(TransferNotice, transferNoticeVersion, id, u, of, map[string]any{
		"What": string(step), "Until": dayOf(f.Until, u.Locale), "Keeps": f.Keeps, "Link": link,
	})
	if step == TransferGiven {
		m.Account = "" // it is the former owner's own mail
	}
	return m, err
}

// dayOf is the day of a time, in UTC.
func dayOf(t time.Time, l user.Locale) string {
	t = t.UTC()
	return day(domain.DateOf(t.Year(), t.Month(), t.Day()), l)
}
