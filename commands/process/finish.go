package process

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/reservation"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// finishLane finishes what a crash left between the appends of a command over
// several streams: an invoice or a credit note without its number, a value
// held and not taken.
func finishLane(jobs *river.Client[pgx.Tx], after time.Duration) feed.Lane {
	return feed.Lane{
		Name: "process.finish",
		Types: []string{
			"invoice.issue_requested.", "invoice.issued.", "invoice.credit_requested.", "invoice.credit_applied.",
			"reservation.held.", "reservation.taken.", "reservation.freed.",
		},
		Handle: func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
			var p pending
			for _, e := range b.Events {
				id, at := e.Meta.AggregateID, e.Meta.RecordedAt.Add(after)
				if after < 0 {
					at = time.Time{}
				}
				switch fact := e.Data.(type) {
				case invoice.IssueRequested:
					p.want(id, FinishInvoice{Cause: causeOf(e.Meta), Invoice: id}, at)
				case invoice.Issued:
					p.done(id)
				case invoice.CreditRequested:
					p.want(fact.CreditNote, FinishCredit{Cause: causeOf(e.Meta), Invoice: id, CreditNote: fact.CreditNote}, at)
				case invoice.CreditApplied:
					p.done(fact.CreditNote)
				case reservation.Held:
					p.want(id, FinishHold{Cause: causeOf(e.Meta), Reservation: id}, at)
				case reservation.Taken, reservation.Freed:
					p.done(id)
				}
			}
			return p.insert(ctx, jobs, tx)
		},
	}
}

// FinishInvoice is the job of giving a frozen invoice its number.
type FinishInvoice struct {
	Cause   Cause  `json:"cause"`
	Invoice string `json:"invoice"`
}

// Kind is the job's name.
func (FinishInvoice) Kind() string { return "finish_invoice" }

type finishInvoice struct {
	river.WorkerDefaults[FinishInvoice]
	d *commands.Dispatcher
}

// Work gives the invoice its number, if it still has none.
func (w *finishInvoice) Work(ctx context.Context, job *river.Job[FinishInvoice]) error {
	_, err := w.d.FinishInvoice(ctx, job.Args.Cause.call("finish"), job.Args.Invoice)
	return err
}

// FinishCredit is the job of issuing a credit note that an invoice asked for.
type FinishCredit struct {
	Cause      Cause  `json:"cause"`
	Invoice    string `json:"invoice"`
	CreditNote string `json:"credit_note"`
}

// Kind is the job's name.
func (FinishCredit) Kind() string { return "finish_credit" }

type finishCredit struct {
	river.WorkerDefaults[FinishCredit]
	d *commands.Dispatcher
}

// Work issues and applies the credit note, as far as that was not done.
func (w *finishCredit) Work(ctx context.Context, job *river.Job[FinishCredit]) error {
	_, err := w.d.FinishCredit(ctx, job.Args.Cause.call("finish"), job.Args.Invoice, job.Args.CreditNote)
	return err
}

// FinishHold is the job of taking a held value.
type FinishHold struct {
	Cause       Cause  `json:"cause"`
	Reservation string `json:"reservation"`
}

// Kind is the job's name.
func (FinishHold) Kind() string { return "finish_hold" }

type finishHold struct {
	river.WorkerDefaults[FinishHold]
	d *commands.Dispatcher
}

// lookAgain is the pause before a hold whose command may still be under way is
// looked at again.
const lookAgain = time.Minute

// Work takes the value, if its holder is there.
func (w *finishHold) Work(ctx context.Context, job *river.Job[FinishHold]) error {
	open, err := w.d.FinishHold(ctx, job.Args.Cause.call("finish"), job.Args.Reservation)
	if err == nil && open {
		return river.JobSnooze(lookAgain)
	}
	return err
}
