package commands

import (
	"context"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
)

// claimFor claims the owner that a command gives an account on the user's own
// stream, so that it is not closed meanwhile (domain/user). What is refused, or
// was done before, claims nothing; a claim of which nothing comes ends by itself.
func claimFor[C interface {
	Command[account.Account, account.Event]
	Gathering[C]
}](ctx context.Context, d *Dispatcher, call Call, cmd C, claim claimOwnership) error {
	f, err := fold(ctx, d.Streams(), cmd.Target(), call.CommandID, folded[account.Account]{})
	if err != nil || f.own != nil {
		return err
	}
	ready, err := cmd.Gather(ctx, d.Streams())
	if err != nil {
		return err
	}
	changes, err := ready.Decide(f.state, Env{Now: d.Clock()})
	if err != nil || len(changes) == 0 {
		return err
	}
	claim.claim.Until = d.Clock().Add(holdFor)
	_, err = Execute(ctx, d, call.Step("claim "+claim.claim.Until.UTC().String()), claim)
	return err
}

type claimOwnership struct {
	user  string
	claim user.OwnershipClaimed
}

func (c claimOwnership) Target() user.Target         { return user.Decider.At(c.user) }
func (claimOwnership) Permission() domain.Permission { return delegation.System }

func (c claimOwnership) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.ClaimOwnership(c.claim)
}

// claimed are the accounts that a user was claimed for, by their ids.
func claimed(ctx context.Context, s Streams, userID string) (map[string]account.Account, error) {
	u, err := Load(ctx, s, user.Decider.At(userID))
	if err != nil {
		return nil, err
	}
	accounts := map[string]account.Account{}
	for id := range u.Owning {
		if accounts[id], err = Load(ctx, s, account.Decider.At(id)); err != nil {
			return nil, err
		}
	}
	return accounts, nil
}

// comeOf is what came of the claims of a user that stand at a time: whether one
// of the accounts is the user's, and whether one may yet be.
func comeOf(u user.User, userID string, accounts map[string]account.Account, now time.Time) (owns, takesOver bool) {
	for id, claim := range u.Owning {
		if now.Before(claim.Until) {
			a := accounts[id]
			owns = owns || a.Owner == userID && a.Status != account.StatusClosed
			takesOver = takesOver || id == "" || a.Awaits(claim.Transfer, claim.Reopening)
		}
	}
	return owns, takesOver
}
