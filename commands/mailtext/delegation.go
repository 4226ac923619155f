package mailtext

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/user"
)

// DelegationInvitation asks the person with an address, who may have no log-in
// yet, to act for an account. It is written in the language of whoever asks.
func (w Writer) DelegationInvitation(d delegation.Delegation, by user.User, accountName string) (message.Queued, error) {
	until := d.OpenUntil.UTC()
	m, err := w.write(DelegationInvitation, delegationInvitationVersion, d.Invitation, user.User{Email: d.Email, Locale: by.Locale}, map[string]any{
		"By": plain(by.Name), "Account": plain(accountName), "Link": w.secretLink("invitation"),
		"Until": day(domain.DateOf(until.Year(), until.Month(), until.Day()), by.Locale),
	})
	m.Account = d.Account
	return m, err
}
