package process

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// contactLane mails each address that a contact gets. Contacts of a given time
// are the demo's or an import's and get no mail.
func contactLane(jobs *river.Client[pgx.Tx]) feed.Lane {
	return feed.Lane{
		Name:  "process.contact",
		Types: []string{"contact.created.", "contact.amended.", "contact.email_verified.", "contact.archived."},
		Handle: func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
			var p pending
			for _, e := range b.Events {
				id := e.Meta.AggregateID
				mail := func(wanted bool) {
					if wanted && !e.Meta.GivenTime {
						p.want(id, WriteContactMail{Cause: causeOf(e.Meta), Contact: id, At: e.Meta.RecordedAt}, time.Time{})
					}
				}
				switch fact := e.Data.(type) {
				case contact.Created:
					mail(true)
				case contact.Amended:
					mail(fact.EmailChanged)
				case contact.EmailVerified, contact.Archived:
					p.done(id)
				}
			}
			return p.insert(ctx, jobs, tx)
		},
	}
}

// WriteContactMail is the job of asking whether somebody wants to be a contact.
type WriteContactMail struct {
	Cause   Cause  `json:"cause"`
	Contact string `json:"contact"`
	// At is when the contact got its address.
	At time.Time `json:"at"`
}

// Kind is the job's name.
func (WriteContactMail) Kind() string { return "write_contact_mail" }

type writeContactMail struct {
	river.WorkerDefaults[WriteContactMail]
	d *commands.Dispatcher
}

// Work queues the mail. An account that has many sent has to wait.
func (w *writeContactMail) Work(ctx context.Context, job *river.Job[WriteContactMail]) error {
	a := job.Args
	err := w.d.MailContactVerification(ctx, a.Cause.call("contact mail"), a.Cause.EventID, a.At, a.Contact)
	if limited, ok := errors.AsType[*vault.LimitedError](err); ok {
		return river.JobSnooze(limited.RetryAfter)
	}
	if errors.Is(err, eventstore.ErrSubjectErased) {
		return river.JobCancel(err)
	}
	return err
}
