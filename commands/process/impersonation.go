package process

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// impersonationLane tells customers that staff have begun to act for them, and
// notes when that runs out.
func impersonationLane(jobs *river.Client[pgx.Tx]) feed.Lane {
	return feed.Lane{
		Name:  "process.impersonation",
		Types: []string{"impersonation."},
		Handle: func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
			var p pending
			for _, e := range b.Events {
				id := e.Meta.AggregateID
				switch fact := e.Data.(type) {
				case impersonation.Started:
					p.want("mail "+id, WriteImpersonationMail{Cause: causeOf(e.Meta), Impersonation: id}, time.Time{})
					p.want(id, ExpireImpersonation{Cause: causeOf(e.Meta), Impersonation: id, At: fact.Until}, fact.Until)
				case impersonation.Ended:
					p.done(id)
				}
			}
			return p.insert(ctx, jobs, tx)
		},
	}
}

// WriteImpersonationMail is the job of telling an account's owner.
type WriteImpersonationMail struct {
	Cause         Cause  `json:"cause"`
	Impersonation string `json:"impersonation"`
}

// Kind is the job's name.
func (WriteImpersonationMail) Kind() string { return "write_impersonation_mail" }

type writeImpersonationMail struct {
	river.WorkerDefaults[WriteImpersonationMail]
	d *commands.Dispatcher
}

// Work queues the mail and notifies.
func (w *writeImpersonationMail) Work(ctx context.Context, job *river.Job[WriteImpersonationMail]) error {
	a := job.Args
	err := w.d.MailImpersonation(ctx, a.Cause.call("impersonation mail"), a.Cause.EventID, a.Impersonation)
	if errors.Is(err, eventstore.ErrSubjectErased) {
		return river.JobCancel(err)
	}
	return err
}

// ExpireImpersonation is the job of noting that an impersonation's time is over.
type ExpireImpersonation struct {
	Cause         Cause     `json:"cause"`
	Impersonation string    `json:"impersonation"`
	At            time.Time `json:"at"`
}

// Kind is the job's name.
func (ExpireImpersonation) Kind() string { return "expire_impersonation" }

type expireImpersonation struct {
	river.WorkerDefaults[ExpireImpersonation]
	d *commands.Dispatcher
}

// Work notes it, unless it was ended before.
func (w *expireImpersonation) Work(ctx context.Context, job *river.Job[ExpireImpersonation]) error {
	if early := job.Args.At.Sub(w.d.Clock()); early > 0 {
		return river.JobSnooze(early)
	}
	return w.d.ExpireImpersonation(ctx, job.Args.Cause.call("expire impersonation"), job.Args.Impersonation)
}
