// Package effects runs what acts on the outside world, and the other jobs of
// the process managers, as River jobs. One package below it per effect: mail,
// erase.
//
// It must not decide anything: what is to be done stands in a stream, and what
// came of it is recorded there by a command. River holds no truth.
package effects

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/effects/erase"
	"github.com/hostfold/hostfold/commands/effects/mail"
	"github.com/hostfold/hostfold/commands/process"
)

// Config is what the jobs need.
type Config struct {
	// Pool is the database with the schema river, migrated.
	Pool       *pgxpool.Pool
	Dispatcher *commands.Dispatcher
	// Mails is where mails go, From who they come from.
	Mails mail.Sink
	From  netmail.Address
	// Owner names this process. Jobs that a killed process of the same name
	// had begun are begun anew at once; two live processes have different names.
	Owner string
	Log   *slog.Logger
	// Workers bounds the jobs that run at the same time; 0 is 8.
	Workers int
}

// Jobs inserts jobs and runs them.
type Jobs struct {
	cfg    Config
	client *river.Client[pgx.Tx]
}

// The times of a job. A job of a process that died under another name is begun
// anew after rescueAfter.
const (
	jobTimeout  = time.Minute
	rescueAfter = 3 * time.Minute
	stopAfter   = 15 * time.Second
)

// closings is how many requests to close accounts wait for one read of the log;
// erasures how many read it at the same time. Mails wait for neither.
const (
	closings = 100
	erasures = 2
)

// New makes the jobs' client; Run runs it.
func New(c Config) (*Jobs, error) {
	if c.Workers == 0 {
		c.Workers = 8
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	workers := river.NewWorkers()
	process.AddWorkers(workers, c.Dispatcher)
	erase.AddWorkers(workers, erase.Config{Dispatcher: c.Dispatcher, Pool: c.Pool, Sink: c.Mails})
	river.AddWorker(workers, &mail.Worker{Dispatcher: c.Dispatcher, Sink: c.Mails, From: c.From})
	client, err := river.NewClient(riverpgxv5.New(c.Pool), &river.Config{
		Schema: "river", ID: c.Owner, Logger: c.Log, Workers: workers,
		Queues: map[string]river.QueueConfig{
			river.QueueDefault:   {MaxWorkers: c.Workers},
			process.ClosingQueue: {MaxWorkers: closings},
			erase.Queue:          {MaxWorkers: erasures},
		},
		JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueAfter,
		PeriodicJobs: process.Periodic(),
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the jobs: %w", err)
	}
	return &Jobs{cfg: c, client: client}, nil
}

// Client inserts jobs in a transaction, for the lanes of commands/process.
func (j *Jobs) Client() *river.Client[pgx.Tx] { return j.client }

// Run runs jobs until ctx ends, then waits for those that are at work.
func (j *Jobs) Run(ctx context.Context) error {
	if err := j.reclaim(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it began
		}
		return err
	}
	// River stops at once when its own context ends; it is stopped below.
	if err := j.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the jobs: %w", err)
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopAfter)
	defer cancel()
	err := j.client.Stop(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = j.client.StopAndCancel(context.WithoutCancel(ctx))
	}
	if err != nil {
		return fmt.Errorf("stop the jobs: %w", err)
	}
	return nil
}

// reclaim begins the jobs anew that a killed process of this name had begun.
func (j *Jobs) reclaim(ctx context.Context) error {
	_, err := j.cfg.Pool.Exec(ctx, `
		UPDATE river.river_job
		SET state = 'available', scheduled_at = now()
		WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1`, j.cfg.Owner)
	if err != nil {
		return fmt.Errorf("take up the jobs of a killed process: %w", err)
	}
	return nil
}
