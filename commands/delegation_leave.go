package commands

import (
	"context"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
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

// FinishLeaving revokes the API tokens that a delegate made on the account before
// an event: the end of its delegation, by whomever or with its time, or the
// beginning of another one, which none comes back with. They are of no use when
// it has ended already. Who has come to own the account holds more than before,
// and keeps them. A process manager calls it because of the event, and may again
// at any time.
func (d *Dispatcher) FinishLeaving(ctx context.Context, call Call, delegationID string, cause uuid.UUID) error {
	fact, meta, err := eventOf[delegation.Event](ctx, d.Streams(), delegation.Decider.At(delegationID), cause)
	if err != nil {
		return err
	}
	var of, holder string
	switch fact := fact.(type) {
	case delegation.InvitationAccepted:
		of, holder = fact.Account, fact.User
	case delegation.Kept:
		of, holder = fact.Account, fact.User
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
	then, err := loadBefore(ctx, d.Streams(), account.Decider.At(of), func(m eventstore.Meta) bool { return !m.Position.Before(meta.Position) })
	if err != nil || then.Owner == holder {
		return err
	}
	call.Account = of
	return d.revokeTokens(ctx, call, of, holder, meta.Position)
}
