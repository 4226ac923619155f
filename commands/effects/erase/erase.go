// Package erase carries out accepted erasures: it destroys keys on their day,
// and removes what the outside of the log still holds of a person: mails in
// files and what jobs noted of them.
//
// What is erased, and when, stands in the stream of domain/privacy; this
// package decides nothing.
package erase

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/effects/mail"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/subjectkey"
)

// Answer is the job of answering a request for erasure.
type Answer struct {
	User string `json:"user"`
	// Cause is the event that asked.
	Cause uuid.UUID `json:"cause"`
}

// Kind is the job's name.
func (Answer) Kind() string { return "answer_erasure" }

// Queue is the queue of the jobs that read the log from end to end, so that
// mails do not wait for them.
const Queue = "erasure"

// InsertOpts says in which queue.
func (Answer) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Queue} }

// Subject is the job of erasing what an accepted request erases at once.
type Subject struct {
	User  string    `json:"user"`
	Cause uuid.UUID `json:"cause"`
}

// Kind is the job's name.
func (Subject) Kind() string { return "erase_subject" }

// InsertOpts says in which queue.
func (Subject) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Queue} }

// Key is the job of destroying one key on its day.
type Key struct {
	User  string      `json:"user"`
	Key   privacy.Key `json:"key"`
	Cause uuid.UUID   `json:"cause"`
}

// Kind is the job's name.
func (Key) Kind() string { return "end_retention" }

// Config is what the jobs need.
type Config struct {
	Dispatcher *commands.Dispatcher
	Pool       *pgxpool.Pool
	// Sink may be a mail.Remover.
	Sink mail.Sink
}

// AddWorkers adds the workers.
func AddWorkers(workers *river.Workers, c Config) {
	river.AddWorker(workers, &answer{c: c})
	river.AddWorker(workers, &subject{c: c})
	river.AddWorker(workers, &key{c: c})
}

// longest bounds a job that reads the log from end to end.
const longest = time.Hour

func call(cause uuid.UUID) commands.Call {
	return commands.Call{
		CommandID: commands.StepID(cause, "erasure"), CausationID: cause.String(),
		Actor: domain.Actor{Kind: domain.ActorSystem, ID: "erasure"}, Grants: delegation.Grants{System: true},
	}
}

type answer struct {
	river.WorkerDefaults[Answer]
	c Config
}

// Timeout bounds one attempt.
func (*answer) Timeout(*river.Job[Answer]) time.Duration { return longest }

// Work answers the request.
func (w *answer) Work(ctx context.Context, job *river.Job[Answer]) error {
	_, err := w.c.Dispatcher.AnswerErasure(ctx, call(job.Args.Cause), job.Args.User)
	return err
}

type subject struct {
	river.WorkerDefaults[Subject]
	c Config
}

// Timeout bounds one attempt.
func (*subject) Timeout(*river.Job[Subject]) time.Duration { return longest }

// Work erases, and once more when no process holds a key any more: one may
// have written a mail meanwhile.
func (w *subject) Work(ctx context.Context, job *river.Job[Subject]) error {
	by := call(job.Args.Cause)
	if err := w.c.Dispatcher.EraseSubject(ctx, by, job.Args.User); err != nil {
		return err
	}
	if err := w.c.removeMails(ctx, job.Args.User); err != nil {
		return err
	}
	wait, err := w.c.Dispatcher.CompleteErasure(ctx, by, job.Args.User)
	if err == nil && wait > 0 {
		return river.JobSnooze(wait)
	}
	return err
}

// removeMails removes the files of a user's mails, the jobs that sent them,
// and what the sink said of them, which may quote an address.
func (c Config) removeMails(ctx context.Context, user string) error {
	ids, err := c.Dispatcher.MessagesTo(ctx, user)
	if err != nil || len(ids) == 0 {
		return err
	}
	if sink, ok := c.Sink.(mail.Remover); ok {
		if err := sink.Remove(ctx, ids); err != nil {
			return err
		}
	}
	_, err = c.Pool.Exec(ctx, `
		DELETE FROM river.river_job
		WHERE kind = $1 AND args ->> 'message' = ANY($2) AND finalized_at IS NOT NULL`, mail.Send{}.Kind(), ids)
	if err == nil {
		_, err = c.Pool.Exec(ctx, `
			UPDATE river.river_job
			SET errors = NULL
			WHERE kind = $1 AND args ->> 'message' = ANY($2)`, mail.Send{}.Kind(), ids)
	}
	if err != nil {
		return fmt.Errorf("remove the jobs of mails: %w", err)
	}
	return nil
}

type key struct {
	river.WorkerDefaults[Key]
	c Config
}

// Work destroys the key, unless its day has not come or a hold forbids it. What
// is erased at once of others was kept by a hold, and so were the mails to it.
func (w *key) Work(ctx context.Context, job *river.Job[Key]) error {
	wait, err := w.c.Dispatcher.EndRetention(ctx, call(job.Args.Cause), job.Args.User, job.Args.Key)
	if err == nil && wait > 0 {
		return river.JobSnooze(wait)
	}
	if err == nil && job.Args.Key.Purpose == subjectkey.Profile {
		return w.c.removeMails(ctx, job.Args.User)
	}
	return err
}
