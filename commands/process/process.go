// Package process holds the process managers: what must follow from an event
// in another stream. Each is a lane of eventstore/feed that inserts River jobs
// in the transaction of its checkpoint, and workers that carry the jobs out as
// commands.
//
// River holds no truth: every job can be made again from the log, and one that
// was carried out before finds so in the streams and does nothing. A process
// manager must not touch the outside world; that is the part of
// commands/effects.
package process

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// Lanes are the lanes of all process managers; jobs are inserted by the client.
// Finishing what seems broken waits for finishAfter, so that it does not run
// beside the request that is at it; 0 is 5 s, a negative time is at once.
func Lanes(jobs *river.Client[pgx.Tx], finishAfter time.Duration) []feed.Lane {
	if finishAfter == 0 {
		finishAfter = 5 * time.Second
	}
	return []feed.Lane{
		finishLane(jobs, finishAfter), mailLane(jobs), userLane(jobs), delegationLane(jobs), contactLane(jobs),
		impersonationLane(jobs), accountLane(jobs, finishAfter), privacyLane(jobs, finishAfter), staffLane(jobs, finishAfter),
	}
}

// AddWorkers adds the workers that carry the jobs of Lanes out.
func AddWorkers(workers *river.Workers, d *commands.Dispatcher) {
	river.AddWorker(workers, &finishInvoice{d: d})
	river.AddWorker(workers, &finishCredit{d: d})
	river.AddWorker(workers, &finishHold{d: d})
	river.AddWorker(workers, &writeInvoiceMail{d: d})
	river.AddWorker(workers, &writeAccountMail{d: d})
	river.AddWorker(workers, &answerClosing{d: d})
	river.AddWorker(workers, &finishClosing{d: d})
	river.AddWorker(workers, &writeTransferMail{d: d})
	river.AddWorker(workers, &expireTransfer{d: d})
	river.AddWorker(workers, &finishTransfer{d: d})
	river.AddWorker(workers, &writeUserMail{d: d})
	river.AddWorker(workers, &finishEmailChange{d: d})
	river.AddWorker(workers, &finishClose{d: d})
	river.AddWorker(workers, &finishFactorReset{d: d})
	river.AddWorker(workers, &finishTakeOver{d: d})
	river.AddWorker(workers, &observeLogins{d: d})
	river.AddWorker(workers, &writeInvitationMail{d: d})
	river.AddWorker(workers, &writeContactMail{d: d})
	river.AddWorker(workers, &expireDelegation{d: d})
	river.AddWorker(workers, &finishLeaving{d: d})
	river.AddWorker(workers, &writeImpersonationMail{d: d})
	river.AddWorker(workers, &expireImpersonation{d: d})
	river.AddWorker(workers, &countAdmin{d: d})
	river.AddWorker(workers, &finishDismissal{d: d})
	river.AddWorker(workers, &cleanVault{d: d})
}

// pending are the jobs that a batch asks for, in order. An event that shows a
// job done takes it out again, so that reading the log from its start asks
// for little.
type pending struct {
	keys []string
	jobs map[string]river.InsertManyParams
}

// want asks for a job, at once or, when a time is given, not before it.
func (p *pending) want(key string, args river.JobArgs, at time.Time) {
	if p.jobs == nil {
		p.jobs = map[string]river.InsertManyParams{}
	}
	p.keys = append(p.keys, key)
	// One job per thing to do: a second one while the first runs would do it twice.
	opts := &river.InsertOpts{ScheduledAt: at, UniqueOpts: river.UniqueOpts{ByArgs: true}}
	p.jobs[key] = river.InsertManyParams{Args: args, InsertOpts: opts}
}

func (p *pending) done(key string) { delete(p.jobs, key) }

// insert inserts the jobs in the transaction of the batch.
func (p *pending) insert(ctx context.Context, jobs *river.Client[pgx.Tx], tx *feed.Tx) error {
	var params []river.InsertManyParams
	for _, key := range p.keys {
		if job, ok := p.jobs[key]; ok {
			params = append(params, job)
			delete(p.jobs, key)
		}
	}
	if len(params) == 0 {
		return nil
	}
	if _, err := jobs.InsertManyTx(ctx, tx.Tx, params); err != nil {
		return fmt.Errorf("insert jobs: %w", err)
	}
	return nil
}

// Cause is the event that set a job off, as far as its command needs it. It
// holds no personal data.
type Cause struct {
	EventID       uuid.UUID `json:"event_id"`
	CorrelationID string    `json:"correlation_id,omitempty"`
	// Actor and At are set when the event happened at a given time: what
	// follows from it does too.
	Actor *domain.Actor `json:"actor,omitempty"`
	At    *time.Time    `json:"at,omitempty"`
}

func causeOf(m eventstore.Meta) Cause {
	c := Cause{EventID: m.EventID, CorrelationID: m.CorrelationID}
	if m.GivenTime {
		c.Actor, c.At = &m.Actor, &m.OccurredAt
	}
	return c
}

// call is that of a process manager.
func (c Cause) call(manager string) commands.Call {
	call := commands.Call{
		CommandID:     commands.StepID(c.EventID, manager),
		Actor:         domain.Actor{Kind: domain.ActorSystem, ID: manager},
		Grants:        delegation.Grants{System: true},
		CorrelationID: c.CorrelationID,
		CausationID:   c.EventID.String(),
	}
	if c.Actor != nil && c.At != nil {
		call.Actor, call.At = *c.Actor, *c.At
	}
	return call
}
