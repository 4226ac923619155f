package process

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// accountLane has requests to close an account answered, and finishes what a
// crash left when one was closed. The answer waits until commands that saw the
// account before the request are over. Offers to hand an account over are mailed
// and run out, and what follows from another owner is carried out.
func accountLane(jobs *river.Client[pgx.Tx], after time.Duration) feed.Lane {
	return feed.Lane{
		Name: "process.account",
		Types: []string{
			"account.closing_requested.", "account.closing_withdrawn.", "account.closing_refused.", "account.closed.",
			"account.ownership_transfer_proposed.", "account.ownership_transfer_withdrawn.", "account.ownership_transfer_declined.",
			"account.ownership_transfer_expired.", "account.ownership_transferred.",
		},
		Handle: func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
			var p pending
			for _, e := range b.Events {
				id := e.Meta.AggregateID
				over := func(transfer string) {
					p.done("mail " + transfer)
					p.done("expire " + transfer)
				}
				switch fact := e.Data.(type) {
				case account.ClosingRequested:
					p.want(id, AnswerClosing{Cause: causeOf(e.Meta), Account: id, Request: fact.Request}, settled(e.Meta, after))
				case account.ClosingWithdrawn, account.ClosingRefused:
					p.done(id)
				case account.Closed:
					p.done(id)
					p.want("finish "+id, FinishClosing{Cause: causeOf(e.Meta), Account: id}, time.Time{})
				case account.OwnershipTransferProposed:
					p.want("mail "+fact.Transfer, WriteTransferMail{Cause: causeOf(e.Meta), Account: id, Transfer: fact.Transfer}, time.Time{})
					p.want("expire "+fact.Transfer, ExpireTransfer{Cause: causeOf(e.Meta), Account: id, Transfer: fact.Transfer, At: fact.OpenUntil}, fact.OpenUntil)
				case account.OwnershipTransferWithdrawn:
					over(fact.Transfer)
				case account.OwnershipTransferDeclined:
					over(fact.Transfer)
				case account.OwnershipTransferExpired:
					over(fact.Transfer)
				case account.OwnershipTransferred:
					over(fact.Transfer)
					p.want("finish "+fact.Transfer, FinishTransfer{Cause: causeOf(e.Meta), Account: id}, time.Time{})
				}
			}
			return p.insert(ctx, jobs, tx)
		},
	}
}

// settled is when commands that did not see an event are over: twice after, which
// is as long as a command may take. For a negative time that is at once.
func settled(m eventstore.Meta, after time.Duration) time.Time {
	if after < 0 {
		return time.Time{}
	}
	return m.RecordedAt.Add(2 * after)
}

// AnswerClosing is the job of answering a request to close an account.
type AnswerClosing struct {
	Cause   Cause  `json:"cause"`
	Account string `json:"account"`
	Request string `json:"request"`
}

// Kind is the job's name.
func (AnswerClosing) Kind() string { return "answer_closing" }

// ClosingQueue is the queue of answers to requests to close accounts. They wait
// for each other, since one read of the log is for all, and nothing else waits
// for them.
const ClosingQueue = "closing"

// InsertOpts says in which queue.
func (AnswerClosing) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: ClosingQueue} }

type answerClosing struct {
	wholeLog[AnswerClosing]
	d *commands.Dispatcher
}

// wholeLog are the defaults of workers that read the log from end to end.
type wholeLog[A river.JobArgs] struct{ river.WorkerDefaults[A] }

// Timeout bounds one attempt.
func (wholeLog[A]) Timeout(*river.Job[A]) time.Duration { return time.Hour }

// Work answers, unless that was done. The answer is today's, also when the
// request has a given time.
func (w *answerClosing) Work(ctx context.Context, job *river.Job[AnswerClosing]) error {
	cause := Cause{EventID: job.Args.Cause.EventID, CorrelationID: job.Args.Cause.CorrelationID}
	return w.d.AnswerClosing(ctx, cause.call("closing"), job.Args.Account, job.Args.Request)
}

// FinishClosing is the job of ending what ends with a closed account.
type FinishClosing struct {
	Cause   Cause  `json:"cause"`
	Account string `json:"account"`
}

// Kind is the job's name.
func (FinishClosing) Kind() string { return "finish_closing" }

type finishClosing struct {
	river.WorkerDefaults[FinishClosing]
	d *commands.Dispatcher
}

// Work ends what has not ended yet. It is today's fact, also of what has a given
// time.
func (w *finishClosing) Work(ctx context.Context, job *river.Job[FinishClosing]) error {
	cause := Cause{EventID: job.Args.Cause.EventID, CorrelationID: job.Args.Cause.CorrelationID}
	return w.d.FinishClosing(ctx, cause.call("closed"), job.Args.Account)
}

// WriteTransferMail is the job of mailing an offer of an account.
type WriteTransferMail struct {
	Cause    Cause  `json:"cause"`
	Account  string `json:"account"`
	Transfer string `json:"transfer"`
}

// Kind is the job's name.
func (WriteTransferMail) Kind() string { return "write_transfer_mail" }

type writeTransferMail struct {
	river.WorkerDefaults[WriteTransferMail]
	d *commands.Dispatcher
}

// Work queues the mail.
func (w *writeTransferMail) Work(ctx context.Context, job *river.Job[WriteTransferMail]) error {
	a := job.Args
	err := w.d.MailTransfer(ctx, a.Cause.call("transfer mail"), a.Cause.EventID, a.Account, a.Transfer)
	if errors.Is(err, eventstore.ErrSubjectErased) {
		return river.JobCancel(err)
	}
	return err
}

// ExpireTransfer is the job of noting that an offer of an account has run out.
type ExpireTransfer struct {
	Cause    Cause     `json:"cause"`
	Account  string    `json:"account"`
	Transfer string    `json:"transfer"`
	At       time.Time `json:"at"`
}

// Kind is the job's name.
func (ExpireTransfer) Kind() string { return "expire_transfer" }

type expireTransfer struct {
	river.WorkerDefaults[ExpireTransfer]
	d *commands.Dispatcher
}

// Work notes it, if it is so by now.
func (w *expireTransfer) Work(ctx context.Context, job *river.Job[ExpireTransfer]) error {
	a := job.Args
	if early := a.At.Sub(w.d.Clock()); early > 0 {
		return river.JobSnooze(early)
	}
	cause := Cause{EventID: a.Cause.EventID, CorrelationID: a.Cause.CorrelationID}
	call := cause.call("expire transfer")
	call.Account = a.Account
	_, err := commands.Execute(ctx, w.d, call, commands.ExpireTransfer{AccountID: a.Account, TransferID: a.Transfer})
	return err
}

// FinishTransfer is the job of doing what follows from another owner.
type FinishTransfer struct {
	Cause   Cause  `json:"cause"`
	Account string `json:"account"`
}

// InsertOpts says in which queue: it reads the log from end to end.
func (FinishTransfer) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: ClosingQueue} }

// Kind is the job's name.
func (FinishTransfer) Kind() string { return "finish_transfer" }

type finishTransfer struct {
	wholeLog[FinishTransfer]
	d *commands.Dispatcher
}

// Work does it, unless that was done.
func (w *finishTransfer) Work(ctx context.Context, job *river.Job[FinishTransfer]) error {
	a := job.Args
	return w.d.FinishTransfer(ctx, a.Cause.call("transfer"), a.Account, a.Cause.EventID)
}
