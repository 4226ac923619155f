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

// accountLane has requests to close an account answered. The answer waits until
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
				case account.ClosingWithdrawn, account.ClosingRefused, account.Closed:
					p.done(id)
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

type answerClosing struct {
	river.WorkerDefaults[AnswerClosing]
	d *commands.Dispatcher
}

// Work answers, unless that was done. The answer is today's, also when the
// request has a given time.
func (w *answerClosing) Work(ctx context.Context, job *river.Job[AnswerClosing]) error {
	cause := Cause{EventID: job.Args.Cause.EventID, CorrelationID: job.Args.Cause.CorrelationID}
	return w.d.AnswerClosing(ctx, cause.call("closing"), job.Args.Account, job.Args.Request)
}
