package commands

import (
	"context"

	"github.com/hostfold/hostfold/domain"
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
// whether or not the address belongs to a user: whoever invites does not learn
// it. To hand on more than to read, the caller has to have proven itself lately.
func (d *Dispatcher) InviteDelegate(ctx context.Context, call Call, cmd InviteDelegate) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	invite := inviteDelegate{InviteDelegate: cmd}
	resource := delegation.Resource{Kind: delegation.Decider.Category}
	if err := authorise(call, invite.Permission(), resource); err != nil {
		return Receipt{}, err
	}
	var err error
	if invite.Email, err = user.CheckEmail(cmd.Email); err != nil {
		return Receipt{}, err
	}
	// The id does not tell the address, and the same address has the same one.
	invite.id = "dlg_" + d.Pepper.Reservation("delegation "+cmd.AccountID, user.NormalEmail(invite.Email))
	if invite.Scope, err = d.scope(ctx, call, cmd.AccountID, cmd.Scope); err != nil {
		return Receipt{}, err
	}
	if invite.Powerful() {
		if err := d.requireFresh(ctx, call); err != nil {
			return Receipt{}, err
		}
	}
	return Execute(ctx, d, call, invite)
}

type inviteDelegate struct {
	InviteDelegate
	id string
}

func (c inviteDelegate) Target() delegation.Target   { return delegation.Decider.At(c.id) }
func (inviteDelegate) Permission() domain.Permission { return delegation.UsersManage }

// NeedsVerifiedEmail bars who has not shown to read mail from having some sent.
func (inviteDelegate) NeedsVerifiedEmail() {}

// Gather refuses an account that is not there.
func (c inviteDelegate) Gather(ctx context.Context, s Streams) (inviteDelegate, error) {
	return c, mustBeOpen(ctx, s, c.AccountID)
}

func (c inviteDelegate) Decide(d delegation.Delegation, env Env) ([]delegation.Event, error) {
	return d.Invite(env.Grants, c.AccountID, env.NewID("ivt"), c.Email, c.Terms, env.Now)
}

// ResendInvitation sends an open invitation again; earlier links are void.
type ResendInvitation struct {
	DelegationID string `json:"-"`
}

// Target is the delegation.
func (c ResendInvitation) Target() delegation.Target { return delegation.Decider.At(c.DelegationID) }

// Permission is that of managing users.
func (ResendInvitation) Permission() domain.Permission { return delegation.UsersManage }

// NeedsVerifiedEmail is as for the first mail.
func (ResendInvitation) NeedsVerifiedEmail() {}

// Decide invites again.
func (ResendInvitation) Decide(d delegation.Delegation, env Env) ([]delegation.Event, error) {
	if d.Email == eventstore.Erased {
		return nil, delegation.ErrNotInvited
	}
	return d.Resend(env.Grants, env.NewID("ivt"), env.Now)
}
