package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// InviteDelegate asks a person to act for an account.
type InviteDelegate struct {
	AccountID string `json:"-"`
	Email     string `json:"email"`
	delegation.Terms
}

// InviteDelegate invites whoever reads the mail of an address. It does the same
// whether or not the address belongs to a user, or to a delegate whom the caller
// must not know of: whoever invites does not learn it. To hand on more than to read, the caller has to have proven itself lately.
func (d *Dispatcher) InviteDelegate(ctx context.Context, call Call, cmd InviteDelegate) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	invite := inviteDelegate{InviteDelegate: cmd, kept: d.keptID}
	resource := delegation.Resource{Kind: delegation.Decider.Category}
	if err := authorise(call, invite.Permission(), resource); err != nil {
		return Receipt{}, err
	}
	var err error
	if invite.Email, err = user.CheckEmail(cmd.Email); err != nil {
		return Receipt{}, err
	}
	invite.id = d.delegationID(cmd.AccountID, invite.Email)
	if invite.Scope, err = d.scope(ctx, call, cmd.AccountID, cmd.Scope); err != nil {
		return Receipt{}, err
	}
	if invite.Powerful() {
		if err := d.requireFresh(ctx, call); err != nil {
			return Receipt{}, err
		}
	}
	return d.inviting(ctx, call, cmd.AccountID, invite.Email, func() (Receipt, error) {
		receipt, err := Execute(ctx, d, call, invite)
		for n := 1; errors.Is(err, delegation.ErrOutOfSight); n++ {
			invite.id = d.asideID(cmd.AccountID, call.Grants.User, invite.Email, n)
			receipt, err = Execute(ctx, d, call, invite)
		}
		return receipt, err
	})
}

// asideID is the id of a delegation for whoever invites an address and must not
// know of what it has on the account already: the answer is that to any other
// address. The next one is for when it must not know of that one any more.
func (d *Dispatcher) asideID(account, inviter, email string, n int) string {
	return "dlg_" + d.Pepper.Reservation("delegation "+account+" "+inviter, fmt.Sprint(n, " ", user.NormalEmail(email)))
}

// delegationID is the id of the delegation of an address on an account: it does
// not tell the address, and the same address has the same one.
func (d *Dispatcher) delegationID(account, email string) string {
	return "dlg_" + d.Pepper.Reservation("delegation "+account, user.NormalEmail(email))
}

// inviting does what mails an invitation, unless its address, the caller or the
// account had many lately. What mails nothing does not count; what may have been
// done without an answer, to a caller who hung up for instance, may mail.
func (d *Dispatcher) inviting(ctx context.Context, call Call, accountID, email string, do func() (Receipt, error)) (Receipt, error) {
	if call.Grants.System {
		return do()
	}
	attempt, err := d.Vault.TryInvitation(ctx, call.Actor.ID, accountID, user.NormalEmail(email))
	if limited, ok := errors.AsType[*vault.LimitedError](err); ok {
		limited.Why = delegation.ErrTooMany
	}
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := do()
	if err == nil && !receipt.Replayed || errors.Is(err, domain.ErrUnavailable) {
		return receipt, err
	}
	ctx, cancel := d.bound(context.WithoutCancel(ctx))
	defer cancel()
	return receipt, errors.Join(err, d.Vault.TakeBack(ctx, attempt))
}

type inviteDelegate struct {
	InviteDelegate
	id   string
	kept func(account, transfer string) string
	// former is what former owners of the address have kept of the account.
	former []delegation.Delegation
}

func (c inviteDelegate) Target() delegation.Target   { return delegation.Decider.At(c.id) }
func (inviteDelegate) Permission() domain.Permission { return delegation.UsersManage }

// NeedsVerifiedEmail bars who has not shown to read mail from having some sent.
func (inviteDelegate) NeedsVerifiedEmail() {}

// Gather refuses an account that takes on nothing new, and looks whether the
// address is that of a former owner, who acts for it by a delegation of its own.
func (c inviteDelegate) Gather(ctx context.Context, s Streams) (inviteDelegate, error) {
	a, err := Load(ctx, s, account.Decider.At(c.AccountID))
	if err == nil {
		err = a.MayTakeOn()
	}
	if err != nil {
		return c, err
	}
	c.former = nil
	for _, transfer := range a.Kept {
		d, err := Load(ctx, s, delegation.Decider.At(c.kept(c.AccountID, transfer)))
		if err != nil {
			return c, err
		}
		if user.NormalEmail(d.Email) == user.NormalEmail(c.Email) {
			c.former = append(c.former, d)
		}
	}
	return c, nil
}

func (c inviteDelegate) Decide(d delegation.Delegation, env Env) ([]delegation.Event, error) {
	if slices.ContainsFunc(c.former, func(d delegation.Delegation) bool {
		return d.Acts(env.Now) && delegation.SeesDelegation(env.Grants, c.AccountID, d.Terms.Scope)
	}) {
		return nil, delegation.ErrActive
	}
	return d.Invite(env.Grants, c.AccountID, env.NewID("ivt"), c.Email, c.Terms, env.Now)
}

// ResendInvitation sends an open invitation again; earlier links are void.
type ResendInvitation struct {
	DelegationID string `json:"-"`
}

// ResendInvitation counts as another invitation.
func (d *Dispatcher) ResendInvitation(ctx context.Context, call Call, cmd ResendInvitation) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	resend := resendInvitation{cmd}
	if err := authorise(call, resend.Permission(), delegation.Resource{Kind: delegation.Decider.Category, ID: cmd.DelegationID}); err != nil {
		return Receipt{}, err
	}
	at, err := Load(ctx, d.Streams(), resend.Target())
	if err != nil {
		return Receipt{}, err
	}
	if at.Account != call.Account || !delegation.SeesDelegation(call.Grants, call.Account, at.Terms.Scope) {
		at.Email = "" // which Execute does not tell from one that is not there
	}
	return d.inviting(ctx, call, call.Account, at.Email, func() (Receipt, error) { return Execute(ctx, d, call, resend) })
}

type resendInvitation struct{ ResendInvitation }

func (c resendInvitation) Target() delegation.Target   { return delegation.Decider.At(c.DelegationID) }
func (resendInvitation) Permission() domain.Permission { return delegation.UsersManage }

// NeedsVerifiedEmail is as for the first mail.
func (resendInvitation) NeedsVerifiedEmail() {}

func (resendInvitation) Decide(d delegation.Delegation, env Env) ([]delegation.Event, error) {
	if d.Email == eventstore.Erased {
		return nil, delegation.ErrNotInvited
	}
	return d.Resend(env.Grants, env.NewID("ivt"), env.Now)
}
