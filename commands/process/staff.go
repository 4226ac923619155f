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
// one.
func staffLane(jobs *river.Client[pgx.Tx], after time.Duration) feed.Lane {
	return feed.Lane{
		Name:  "process.staff",
		Types: []string{"staff.", "roster."},
		Handle: func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
			var p pending
			for _, e := range b.Events {
				id := e.Meta.AggregateID
				count := func(key, user string, at time.Time) {
					if after < 0 {
						at = time.Time{}
					}
					p.want(key, CountAdmin{Cause: causeOf(e.Meta), User: user}, at)
				}
				role := func(r delegation.Role) {
					if p.done(id); r == delegation.RoleAdmin {
						count(id, id, e.Meta.RecordedAt.Add(after))
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
				case roster.AdminAdded:
					p.done(fact.User)
				case roster.AdminRemoved:
					count("off "+fact.User, fact.User, fact.Until)
				}
			}
			return p.insert(ctx, jobs, tx)
		},
	}
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
