package mailtext

import (
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/user"
)

// ContactVerification asks whoever reads the mail of a contact's address, and
// may have no log-in, whether it wants to be the account's contact. It tells
// nothing else of what is held: the address may be somebody else's.
func (w Writer) ContactVerification(id string, c contact.Contact, accountName string, locale user.Locale, until time.Time) (message.Queued, error) {
	until = until.UTC()
	m, err := w.write(ContactVerification, contactVerificationVersion, id, user.User{Email: c.Details.Email, Locale: locale}, map[string]any{
		"Account": named(accountName, c.Account), "Link": w.secretLink("verify-contact"),
		"Until": day(domain.DateOf(until.Year(), until.Month(), until.Day()), locale),
	})
	m.Account = c.Account
	return m, err
}
