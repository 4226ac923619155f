package commands

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/announcement"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// AccountMail is an event about an account that its owner may get mail of.
type AccountMail struct {
	// Cause is the event, of type Type, recorded At, about the thing with the
	// id Thing.
	Cause uuid.UUID
	Type  string
	At    time.Time
	Thing string
	// Account is whose owner hears of it.
	Account string
}

// MailAccount mails an account's owner what happened, when the account had
// chosen to get such mail by the time that it happened: what was chosen later
// brings no old mail, neither now nor when the log is read anew.
func (d *Dispatcher) MailAccount(ctx context.Context, call Call, m AccountMail) error {
	if m.Type == (account.OwnershipTransferred{}).EventType() {
		return d.mailTransferred(ctx, call, m)
	}
	class := account.MailLegal
	switch m.Type {
	case hosting.Provisioned{}.EventType(), hosting.SuspensionLifted{}.EventType():
		class = account.MailServices
	case ticket.StaffReplied{}.EventType():
		class = account.MailTickets
	case announcement.Published{}.EventType():
		class = account.MailNews
	}
	a, gets, err := d.gets(ctx, m.Account, class, m.At)
	if err != nil || !gets || a.Status == account.StatusClosed && class != account.MailLegal {
		return err
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(a.Owner))
	if err != nil || !reachable(u) {
		return err
	}
	mail, err := d.writeAccountMail(ctx, m, a, u)
	if err != nil || mail.Template == "" {
		return err
	}
	_, err = Execute(ctx, d, call.Step(m.Account), QueueMessage{MessageID: MessageID(m.Cause, mail.Template, m.Account+" owner"), Mail: mail})
	return err
}

// gets is the account, and whether it had chosen mail of a class at a time.
func (d *Dispatcher) gets(ctx context.Context, id string, class account.MailClass, at time.Time) (account.Account, bool, error) {
	a, err := Load(ctx, d.Streams(), account.Decider.At(id))
	if err != nil || !a.Exists() {
		return a, false, err
	}
	gets := account.Decider.Fold(account.Opened{}).Communication.Gets(class)
	_, _, err = factOf(ctx, d.Streams(), account.Decider.At(id), func(e account.CommunicationPreferencesChanged, m eventstore.Meta) bool {
		if m.RecordedAt.After(at) {
			return true // the first that came later; the one before it counts
		}
		gets = account.Communication(e).Gets(class)
		return false
	})
	return a, gets, err
}

// writeAccountMail fills the mail's template; one without a template says that
// there is nothing to tell.
func (d *Dispatcher) writeAccountMail(ctx context.Context, m AccountMail, a account.Account, u user.User) (message.Queued, error) {
	of := mailtext.About{Account: m.Account, Name: a.Name}
	service := func(what mailtext.ServiceChange) (message.Queued, error) {
		h, err := Load(ctx, d.Streams(), hosting.Decider.At(m.Thing))
		if err != nil {
			return message.Queued{}, err
		}
		return d.Mails.ServiceChanged(a.Owner, u, of, m.Thing, h.Label, what)
	}
	closing := func(step mailtext.ClosingStep, why []account.Reason) (message.Queued, error) {
		return d.Mails.AccountClosing(a.Owner, u, of, step, why)
	}
	transfer := func(step mailtext.TransferStep, f mailtext.TransferFacts) (message.Queued, error) {
		return d.Mails.TransferNotice(a.Owner, u, of, step, f)
	}
	switch m.Type {
	case delegation.Left{}.EventType():
		return d.Mails.DelegateLeft(a.Owner, u, of)
	case account.OwnershipTransferProposed{}.EventType():
		fact, _, err := eventOf[account.OwnershipTransferProposed](ctx, d.Streams(), account.Decider.At(m.Account), m.Cause)
		if err != nil || fact.Email == eventstore.Erased || !a.Offers(fact.Transfer, d.Clock()) {
			return message.Queued{}, err // once it was accepted, the owner is another
		}
		return transfer(mailtext.TransferProposed, mailtext.TransferFacts{Until: fact.OpenUntil})
	case account.OwnershipTransferDeclined{}.EventType():
		return transfer(mailtext.TransferDeclined, mailtext.TransferFacts{})
	case account.OwnershipTransferExpired{}.EventType():
		return transfer(mailtext.TransferExpired, mailtext.TransferFacts{})
	case account.ClosingRequested{}.EventType():
		return closing(mailtext.ClosingRequested, nil)
	case account.ClosingRefused{}.EventType():
		fact, _, err := eventOf[account.ClosingRefused](ctx, d.Streams(), account.Decider.At(m.Account), m.Cause)
		if err != nil {
			return message.Queued{}, err
		}
		return closing(mailtext.ClosingRefused, fact.Why)
	case account.Closed{}.EventType(), "account.closed.v1":
		return closing(mailtext.AccountClosed, nil)
	case account.Reopened{}.EventType():
		return closing(mailtext.AccountReopened, nil)
	case hosting.Provisioned{}.EventType():
		return service(mailtext.ServiceActive)
	case hosting.Suspended{}.EventType():
		return service(mailtext.ServiceSuspended)
	case hosting.SuspensionLifted{}.EventType():
		return service(mailtext.ServiceRestored)
	case ticket.StaffReplied{}.EventType():
		t, err := Load(ctx, d.Streams(), ticket.Decider.At(m.Thing))
		if err != nil {
			return message.Queued{}, err
		}
		return d.Mails.TicketAnswered(a.Owner, u, of, m.Thing, t.Number)
	case announcement.Published{}.EventType():
		n, err := Load(ctx, d.Streams(), announcement.Decider.At(m.Thing))
		if err != nil {
			return message.Queued{}, err
		}
		return d.Mails.NewsPublished(a.Owner, u, of, m.Thing, n.Title)
	}
	return message.Queued{}, nil
}

// MailNews is MailAccount for every account that chose to get news.
func (d *Dispatcher) MailNews(ctx context.Context, call Call, m AccountMail) error {
	asked := map[string]bool{}
	err := d.eachEvent(ctx, []string{account.Decider.Category}, func(r eventstore.Recorded) error {
		if r.Type == (account.CommunicationPreferencesChanged{}).EventType() && !eventstore.Foreign(r) {
			asked[r.Stream[len(account.Decider.Category)+1:]] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id := range asked {
		m.Account = id
		if err := d.MailAccount(ctx, call, m); err != nil && !errors.Is(err, eventstore.ErrSubjectErased) {
			return err
		}
	}
	return nil
}
