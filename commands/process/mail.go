package process

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/effects/mail"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/announcement"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/ticket"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// mailLane turns each issued invoice, what a user has to hear of and what an
// account chose to hear of into one mail, and each queued mail into the job of
// sending it. What has a given time, which an import brought, is no news and
// makes no mail.
func mailLane(jobs *river.Client[pgx.Tx]) feed.Lane {
	return feed.Lane{
		Name: "process.mail",
		Types: []string{
			"invoice.issued.", "message.queued.", "message.sent.", "message.failed.",
			"user.registered.", "user.password_reset_requested.", "user.password_changed.", "user.new_device_seen.",
			"user.totp_confirmed.", "user.totp_disabled.", "user.passkey_added.", "user.passkey_removed.",
			"user.recovery_codes_regenerated.", "user.recovery_code_used.", "user.passkey_copy_suspected.",
			"user.factor_reset_requested.", "user.factor_reset_cancelled.", "user.factors_reset.", "staff.hired.", "staff.deactivated.",
			"hosting.provisioned.", "hosting.suspended.", "hosting.suspension_lifted.", "ticket.staff_replied.", "announcement.published.",
			"account.closing_requested.", "account.closing_refused.", "account.closed.", "account.reopened.",
			"account.ownership_transfer_proposed.", "account.ownership_transfer_declined.", "account.ownership_transfer_expired.", "account.ownership_transferred.",
			"delegation.left.",
		},
		Handle: func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
			var p pending
			for _, e := range b.Events {
				id := e.Meta.AggregateID
				switch fact := e.Data.(type) {
				case invoice.Issued:
					if !e.Meta.GivenTime {
						p.want(e.Meta.EventID.String(), WriteInvoiceMail{Cause: causeOf(e.Meta), Invoice: id}, time.Time{})
					}
				case user.Registered, user.PasswordResetRequested, user.PasswordChanged, user.NewDeviceSeen,
					user.TOTPConfirmed, user.TOTPDisabled, user.PasskeyAdded, user.PasskeyRemoved,
					user.RecoveryCodesRegenerated, user.RecoveryCodeUsed, user.PasskeyCopySuspected,
					user.FactorResetRequested, user.FactorResetCancelled, user.FactorsReset, staff.Hired, staff.Deactivated:
					if !e.Meta.GivenTime && !firstCodes(fact) {
						p.want(e.Meta.EventID.String(), WriteUserMail{Cause: causeOf(e.Meta), User: id, About: e.Meta.Type, At: e.Meta.RecordedAt}, time.Time{})
					}
				case hosting.Provisioned, hosting.Suspended, hosting.SuspensionLifted, ticket.StaffReplied,
					account.ClosingRequested, account.ClosingRefused, account.Closed, account.Reopened,
					account.OwnershipTransferProposed, account.OwnershipTransferDeclined, account.OwnershipTransferExpired, account.OwnershipTransferred,
					delegation.Left:
					if !e.Meta.GivenTime && told(fact) {
						p.want(e.Meta.EventID.String(), accountMail(e.Meta), time.Time{})
					}
				case announcement.Published:
					// What was dated back is no news, what is for later waits.
					if !e.Meta.GivenTime && fact.PublishedAt.After(e.Meta.RecordedAt.Add(-newsLife)) {
						p.want(e.Meta.EventID.String(), accountMail(e.Meta), fact.PublishedAt)
					}
				case message.Queued:
					p.done(e.Meta.CausationID)
					p.want(id, mail.Send{Message: id, Cause: e.Meta.EventID.String(), CorrelationID: e.Meta.CorrelationID}, time.Time{})
				case message.Sent, message.Failed:
					p.done(id)
				}
			}
			return p.insert(ctx, jobs, tx)
		},
	}
}

// firstCodes reports whether a fact tells of a user's first recovery codes: they
// come with a second factor, which has a mail of its own.
func firstCodes(fact domain.Event) bool {
	codes, ok := fact.(user.RecoveryCodesRegenerated)
	return ok && codes.Replaced == ""
}

// newsLife is how far back news may be dated that is mailed yet.
const newsLife = 24 * time.Hour

// told reports whether a fact is one to hear of: another reason changes nothing
// for a service that is suspended already, nor does one that is lifted of several.
func told(fact domain.Event) bool {
	switch e := fact.(type) {
	case hosting.Suspended:
		return len(e.Reasons) == 1
	case hosting.SuspensionLifted:
		return len(e.Reasons) == 0
	case account.Closed:
		return !e.Erasure // there is nobody to tell
	}
	return true
}

func accountMail(m eventstore.Meta) WriteAccountMail {
	return WriteAccountMail{Cause: causeOf(m), Account: m.Account, About: m.Type, Thing: m.AggregateID, At: m.RecordedAt}
}

// WriteAccountMail is the job of mailing what happened to an account, or of
// mailing news to all that chose to get them.
type WriteAccountMail struct {
	Cause Cause `json:"cause"`
	// Account is "" for news.
	Account string `json:"account,omitempty"`
	// About is the type of the event, Thing what it is about, At when it was
	// recorded.
	About string    `json:"about"`
	Thing string    `json:"thing"`
	At    time.Time `json:"at"`
}

// Kind is the job's name.
func (WriteAccountMail) Kind() string { return "write_account_mail" }

type writeAccountMail struct {
	river.WorkerDefaults[WriteAccountMail]
	d *commands.Dispatcher
}

// Timeout is for news, which go to many.
func (*writeAccountMail) Timeout(*river.Job[WriteAccountMail]) time.Duration { return 15 * time.Minute }

// Work queues what is to be told.
func (w *writeAccountMail) Work(ctx context.Context, job *river.Job[WriteAccountMail]) error {
	a := job.Args
	m := commands.AccountMail{Cause: a.Cause.EventID, Type: a.About, At: a.At, Thing: a.Thing, Account: a.Account}
	call := a.Cause.call("account mail")
	if a.About == (announcement.Published{}).EventType() {
		return w.d.MailNews(ctx, call, m)
	}
	err := w.d.MailAccount(ctx, call, m)
	if errors.Is(err, eventstore.ErrSubjectErased) {
		return river.JobCancel(err)
	}
	return err
}

// WriteInvoiceMail is the job of telling an account's owner of an invoice.
type WriteInvoiceMail struct {
	Cause   Cause  `json:"cause"`
	Invoice string `json:"invoice"`
}

// Kind is the job's name.
func (WriteInvoiceMail) Kind() string { return "write_invoice_mail" }

type writeInvoiceMail struct {
	river.WorkerDefaults[WriteInvoiceMail]
	d *commands.Dispatcher
}

// Work queues the mail. Its id derives from the event and from the part that
// the recipient plays, not from the person: a later owner does not get it again.
func (w *writeInvoiceMail) Work(ctx context.Context, job *river.Job[WriteInvoiceMail]) error {
	streams := w.d.Streams()
	inv, err := commands.Load(ctx, streams, invoice.Decider.At(job.Args.Invoice))
	if err != nil {
		return err
	}
	a, err := commands.Load(ctx, streams, account.Decider.At(inv.Account))
	if err != nil {
		return err
	}
	u, err := commands.Load(ctx, streams, user.Decider.At(a.Owner))
	if err != nil {
		return err
	}
	if u.Exists() && u.Email != eventstore.Erased {
		if err := w.queue(ctx, job.Args, a.Owner, "owner", u, inv); err != nil {
			return err
		}
	}
	copied := a.Billing.Email
	if copied == "" || copied == eventstore.Erased || user.NormalEmail(copied) == user.NormalEmail(u.Email) {
		return nil
	}
	// Nobody has shown to read this address: it is the account's, and gets no name.
	return w.queue(ctx, job.Args, inv.Account, "billing", user.User{Email: copied, Locale: u.Locale}, inv)
}

// queue queues the mail to one who is told, whose key encrypts it.
func (w *writeInvoiceMail) queue(ctx context.Context, job WriteInvoiceMail, subject, part string, u user.User, inv invoice.Invoice) error {
	queued, err := w.d.Mails.InvoiceIssued(subject, u, job.Invoice, inv)
	if err != nil {
		return err
	}
	_, err = commands.Execute(ctx, w.d, job.Cause.call("invoice mail").Step(part), commands.QueueMessage{
		MessageID: commands.MessageID(job.Cause.EventID, mailtext.InvoiceIssued, part), Mail: queued,
	})
	if errors.Is(err, eventstore.ErrSubjectErased) {
		return river.JobCancel(err)
	}
	return err
}
