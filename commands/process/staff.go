package process

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/roster"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// staffLane has every admin counted on the roster, also when a crash came between
// its role and the roster, or between its removal from the roster and the end of
// the role: who is not counted could remove the last one who is, and nobody that
// one. What a dismissed member did for customers is noted to be over.
func staffLane(jobs *river.Client[pgx.Tx], after time.Duration) feed.Lane {
	return feed.Lane{
		Name:  "process.staff",
		Types: []string{"staff.", "roster."},
		Handle: func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
			var p pending
			for _, e := range b.Events {
				id := e.Meta.AggregateID
				want := func(key string, job river.JobArgs, at time.Time) {
					if after < 0 {
						at = time.Time{}
					}
					p.want(key, job, at)
				}
				soon := e.Meta.RecordedAt.Add(after)
				role := func(r delegation.Role) {
					if p.done(id); r == delegation.RoleAdmin {
						want(id, CountAdmin{Cause: causeOf(e.Meta), User: id}, soon)
					}
				}
				switch fact := e.Data.(type) {
				case staff.Hired:
					role(fact.Role)
				case staff.RoleAssigned:
					p.done("off " + id)
					role(fact.Role)
				case staff.Deactivated:
					p.done("off " + id)
					role("")
					want("acting "+id, FinishDismissal{Cause: causeOf(e.Meta), Member: id}, soon)
				case roster.AdminAdded:
					p.done(fact.User)
				case roster.AdminRemoved:
					want("off "+fact.User, CountAdmin{Cause: causeOf(e.Meta), User: fact.User}, fact.Until)
				}
			}
			return p.insert(ctx, jobs, tx)
		},
	}
}

// FinishDismissal is the job of noting that what a dismissed staff member did for
// customers is over.
type FinishDismissal struct {
	Cause  Cause  `json:"cause"`
	Member string `json:"member"`
}

// Kind is the job's name.
func (FinishDismissal) Kind() string { return "finish_dismissal" }

// InsertOpts says in which queue: it reads the log from end to end.
func (FinishDismissal) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: ClosingQueue} }

type finishDismissal struct {
	wholeLog[FinishDismissal]
	d *commands.Dispatcher
}

// Work notes it, unless that was done.
func (w *finishDismissal) Work(ctx context.Context, job *river.Job[FinishDismissal]) error {
	a := job.Args
	return w.d.FinishDismissal(ctx, a.Cause.call("dismissal"), a.Member, a.Cause.EventID)
}

// CountAdmin is the job of counting an admin.
type CountAdmin struct {
	Cause Cause  `json:"cause"`
	User  string `json:"user"`
}

// Kind is the job's name.
func (CountAdmin) Kind() string { return "count_admin" }

type countAdmin struct {
	river.WorkerDefaults[CountAdmin]
	d *commands.Dispatcher
}

// Work counts it, if it is one and not counted. It is today's fact.
func (w *countAdmin) Work(ctx context.Context, job *river.Job[CountAdmin]) error {
	cause := Cause{EventID: job.Args.Cause.EventID, CorrelationID: job.Args.Cause.CorrelationID}
	return w.d.CountAdmin(ctx, cause.call("roster"), job.Args.User)
}
