package mailtext

import (
	"strings"

	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/user"
)

// About is the account that a mail to its owner is about.
type About struct {
	// Account is its id, Name what it is called.
	Account, Name string
}

// shown is the account in a mail to its owner, who need not have chosen the name:
// a former owner may have, or a delegate. Of who is not verified anybody wrote it.
func (of About) shown(u user.User) string {
	if !u.Verified {
		return of.Account
	}
	return named(of.Name, of.Account)
}

// ServiceChange is what happened to a service.
type ServiceChange string

// What an owner hears of a service.
const (
	ServiceActive    ServiceChange = "active"
	ServiceSuspended ServiceChange = "suspended"
	ServiceRestored  ServiceChange = "restored"
)

// ServiceChanged tells an account's owner what happened to a service.
func (w Writer) ServiceChanged(id string, u user.User, of About, service, label string, what ServiceChange) (message.Queued, error) {
	return w.about(ServiceChanged, serviceChangedVersion, id, u, of, map[string]any{
		"What": string(what), "Label": plain(label), "Link": w.link("portal", of.Account, "services", service),
	})
}

// TicketAnswered tells an account's owner that staff answered a ticket, without
// a word of it.
func (w Writer) TicketAnswered(id string, u user.User, of About, ticket, number string) (message.Queued, error) {
	return w.about(TicketAnswered, ticketAnsweredVersion, id, u, of, map[string]any{
		"Number": number, "Link": w.link("portal", of.Account, "tickets", ticket),
	})
}

// NewsPublished tells an account's owner of a piece of news.
func (w Writer) NewsPublished(id string, u user.User, of About, news, title string) (message.Queued, error) {
	return w.about(NewsPublished, newsPublishedVersion, id, u, of, map[string]any{
		"Title": plain(title), "Link": w.link("portal", of.Account, "news", news),
	})
}

// about writes a mail about an account to somebody who may choose which of
// them to get.
func (w Writer) about(name string, version int, id string, u user.User, of About, data map[string]any) (message.Queued, error) { //nolint:unparam // each template has a version of its own
	data["Account"], data["Choose"] = of.shown(u), w.link("portal", of.Account, "communication")
	m, err := w.write(name, version, id, u, data)
	m.Account = of.Account
	return m, err
}

// plain is what somebody wrote, for a mail: it cannot stand for a secret, nor
// begin a paragraph of its own.
func plain(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, Secret, "")), " ")
}

// ClosingStep is how far the closing of an account has come.
type ClosingStep string

// What an owner hears of it.
const (
	ClosingRequested ClosingStep = "requested"
	ClosingRefused   ClosingStep = "refused"
	AccountClosed    ClosingStep = "closed"
	AccountReopened  ClosingStep = "reopened"
)

// AccountClosing tells an account's owner how far its closing has come, and why
// it was refused.
func (w Writer) AccountClosing(id string, u user.User, of About, step ClosingStep, why []account.Reason) (message.Queued, error) {
	reasons := map[string]bool{}
	for _, r := range why {
		reasons[string(r)] = true
	}
	return w.about(AccountClosing, accountClosingVersion, id, u, of, map[string]any{
		"What": string(step), "Why": reasons, "Link": w.link("portal", of.Account, "close"), "Invoices": w.link("portal", of.Account, "invoices"),
	})
}
