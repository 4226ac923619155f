package commands

import (
	"context"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// LeaveAccount gives up what the caller holds on an account as a delegate.
type LeaveAccount struct {
	AccountID string `json:"-"`
}

// LeaveAccount ends the caller's own delegation. The owner is told.
func (d *Dispatcher) LeaveAccount(ctx context.Context, call Call, cmd LeaveAccount) (Receipt, error) {
	leave := leaveAccount{id: call.Delegation, user: call.Grants.User}
	if err := authorise(call, leave.Permission(), delegation.Resource{Kind: delegation.Decider.Category, ID: leave.id}); err != nil {
		return Receipt{}, err
	}
	if call.Grants.Accounts[cmd.AccountID].Owner || leave.id == "" {
		return Receipt{}, delegation.ErrOwnerStays
	}
	return Execute(ctx, d, call, leave)
}

type leaveAccount struct{ id, user string }

func (c leaveAccount) Target() delegation.Target   { return delegation.Decider.At(c.id) }
func (leaveAccount) Permission() domain.Permission { return delegation.Member }

func (c leaveAccount) Decide(d delegation.Delegation, _ Env) ([]delegation.Event, error) {
	return d.Leave(c.user)
}

// FinishLeaving revokes the API tokens that a delegate whose delegation ended, by
// whomever or with its time, made on the account: they are of no use already, and
// stay so if it comes back. A process manager calls it because of the event, and
// may again at any time.
func (d *Dispatcher) FinishLeaving(ctx context.Context, call Call, delegationID string, cause uuid.UUID) error {
	fact, meta, err := eventOf[delegation.Event](ctx, d.Streams(), delegation.Decider.At(delegationID), cause)
	if err != nil {
		return err
	}
	var of, holder string
	switch fact := fact.(type) {
	case delegation.Left:
		of, holder = fact.Account, fact.User
	case delegation.Revoked:
		of, holder = fact.Account, fact.User
	case delegation.Expired:
		of, holder = fact.Account, fact.User
	}
	if holder == "" {
		return nil // an invitation
	}
	call.Account = of
	return d.revokeTokens(ctx, call, of, holder, meta.Position)
}
