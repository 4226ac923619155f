package process

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/user"
)

// Periodic are the jobs that come again by themselves.
func Periodic() []*river.PeriodicJob {
	return []*river.PeriodicJob{
		river.NewPeriodicJob(river.PeriodicInterval(6*time.Hour), func() (river.JobArgs, *river.InsertOpts) {
			return CleanVault{}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByPeriod: time.Hour}}
		}, &river.PeriodicJobOpts{RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(15*time.Minute), func() (river.JobArgs, *river.InsertOpts) {
			return ObserveLogins{}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByPeriod: 15 * time.Minute}}
		}, &river.PeriodicJobOpts{RunOnStart: true}),
	}
}

// CleanVault is the job of deleting what the vault no longer needs.
type CleanVault struct{}

// Kind is the job's name.
func (CleanVault) Kind() string { return "clean_vault" }

type cleanVault struct {
	river.WorkerDefaults[CleanVault]
	d *commands.Dispatcher
}

// Work deletes what is over, and the credentials and API tokens that no stream
// names.
func (w *cleanVault) Work(ctx context.Context, _ *river.Job[CleanVault]) error {
	if err := w.d.Vault.Clean(ctx); err != nil {
		return err
	}
	err := w.d.Vault.CleanAPITokens(ctx, func(ctx context.Context, id string) (bool, error) {
		t, err := commands.Load(ctx, w.d.Streams(), apitoken.Decider.At(id))
		return t.Account != "" && !t.IsRevoked, err
	})
	if err != nil {
		return err
	}
	_, err = w.d.Vault.CleanCredentials(ctx, func(ctx context.Context, id string) (string, error) {
		u, err := commands.Load(ctx, w.d.Streams(), user.Decider.At(id))
		return u.Credential, err
	})
	if err != nil {
		return err
	}
	_, err = w.d.Vault.CleanFactors(ctx, func(ctx context.Context, id string) ([]string, error) {
		u, err := commands.Load(ctx, w.d.Streams(), user.Decider.At(id))
		return commands.FactorRows(u), err
	})
	return err
}
