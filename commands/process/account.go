package process

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// accountLane has requests to close an account answered, and finishes what a
// crash left when one was closed. The answer waits until
// commands that saw the account before the request are over: twice after, which
// is as long as a command may take.
func accountLane(jobs *river.Client[pgx.Tx], after time.Duration) feed.Lane {
	return feed.Lane{
		Name:  "process.account",
		Types: []string{"account.closing_requested.", "account.closing_withdrawn.", "account.closing_refused.", "account.closed."},
		Handle: func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
			var p pending
			for _, e := range b.Events {
				id := e.Meta.AggregateID
				switch fact := e.Data.(type) {
				case account.ClosingRequested:
					at := e.Meta.RecordedAt.Add(2 * after)
					if after < 0 {
						at = time.Time{}
					}
					p.want(id, AnswerClosing{Cause: causeOf(e.Meta), Account: id, Request: fact.Request}, at)
				case account.ClosingWithdrawn, account.ClosingRefused:
					p.done(id)
				case account.Closed:
					p.done(id)
					p.want("finish "+id, FinishClosing{Cause: causeOf(e.Meta), Account: id}, time.Time{})
				}
			}
			return p.insert(ctx, jobs, tx)
		},
	}
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
	river.WorkerDefaults[AnswerClosing]
	d *commands.Dispatcher
}

// Timeout bounds one attempt, which reads the log from end to end.
func (*answerClosing) Timeout(*river.Job[AnswerClosing]) time.Duration { return time.Hour }

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
