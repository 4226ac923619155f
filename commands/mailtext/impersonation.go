package mailtext

import (
	"strings"
	"time"

	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/user"
)

// Impersonation tells an account's owner that staff have begun to act for the
// account: why, and until when.
func (w Writer) Impersonation(id string, u user.User, accountName string, i impersonation.Started, at time.Time) (message.Queued, error) {
	m, err := w.write(Impersonation, impersonationVersion, id, u, map[string]any{
		"Account": About{i.Account, accountName}.shown(u), "Reason": strings.ReplaceAll(i.Reason, Secret, ""), "Consent": i.Consent, "Ticket": i.Ticket != "",
		"At": moment(at, u.Locale), "Until": moment(i.Until, u.Locale), "Link": w.link("portal", i.Account, "history"),
	})
	m.Account = i.Account
	return m, err
}

// ImpersonationNotice is the same in the words under the bell.
func (Writer) ImpersonationNotice(u user.User, i impersonation.Started) (title, body string) {
	if u.Locale == user.English {
		return "Our support is acting on your account", "Until " + moment(i.Until, u.Locale) + ". Reason: " + i.Reason
	}
	return "Notre support intervient sur votre compte", "Jusqu’au " + moment(i.Until, u.Locale) + ". Motif : " + i.Reason
}
