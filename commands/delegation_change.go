package commands

import (
	"context"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// ChangeDelegation changes what is given of a delegation's terms.
type ChangeDelegation struct {
	DelegationID string              `json:"-"`
	Permissions  []domain.Permission `json:"permissions,omitempty"`
	Scope        *delegation.Scope   `json:"scope,omitempty"`
	ExpiresAt    *time.Time          `json:"expires_at,omitempty"`
	// NeverExpires takes the end away.
	NeverExpires bool `json:"never_expires,omitempty"`
}

// ChangeDelegation sets the terms anew, as far as they are given. To give more
// than before takes what such an invitation takes.
func (d *Dispatcher) ChangeDelegation(ctx context.Context, call Call, cmd ChangeDelegation) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if err := authorise(call, cmd.Permission(), delegation.Resource{Kind: delegation.Decider.Category, ID: cmd.DelegationID}); err != nil {
		return Receipt{}, err
	}
	if cmd.NeverExpires && cmd.ExpiresAt != nil {
		return Receipt{}, domain.Invalid("never_expires", "must not stand beside expires_at")
	}
	if cmd.Scope != nil {
		scope, err := d.scope(ctx, call, call.Account, *cmd.Scope)
		if err != nil {
			return Receipt{}, err
		}
		cmd.Scope = &scope
	}
	present, err := Load(ctx, d.Streams(), cmd.Target())
	known := present.Account == call.Account && delegation.SeesDelegation(call.Grants, call.Account, present.Terms.Scope)
	if err == nil && known && widens(present.Terms, cmd.terms(present)) {
		err = d.requireFresh(ctx, call)
	}
	if err != nil {
		return Receipt{}, err
	}
	return Execute(ctx, d, call, cmd)
}

// widens reports whether a change gives more than what was given, and more than
// to read.
func widens(from, to delegation.Terms) bool {
	return to.Powerful() && !(delegation.Grant{Terms: from}).Covers(delegation.Grant{Terms: to})
}

// Target is the delegation.
func (c ChangeDelegation) Target() delegation.Target { return delegation.Decider.At(c.DelegationID) }

// Permission is that of managing users.
func (ChangeDelegation) Permission() domain.Permission { return delegation.UsersManage }

// Decide changes the terms.
func (c ChangeDelegation) Decide(d delegation.Delegation, env Env) ([]delegation.Event, error) {
	return d.Change(env.Grants, c.terms(d), env.Now)
}

// terms are those that the delegation is to have.
func (c ChangeDelegation) terms(d delegation.Delegation) delegation.Terms {
	terms := d.Terms
	if c.Permissions != nil {
		terms.Permissions = c.Permissions
	}
	if c.Scope != nil {
		terms.Scope = *c.Scope
	}
	if c.ExpiresAt != nil || c.NeverExpires {
		terms.ExpiresAt = c.ExpiresAt
	}
	return terms
}

// RevokeDelegation ends a delegation, or withdraws an invitation.
type RevokeDelegation struct {
	DelegationID string `json:"-"`
}

// Target is the delegation.
func (c RevokeDelegation) Target() delegation.Target { return delegation.Decider.At(c.DelegationID) }

// Permission is that of managing users.
func (RevokeDelegation) Permission() domain.Permission { return delegation.UsersManage }

// Decide ends it.
func (RevokeDelegation) Decide(d delegation.Delegation, env Env) ([]delegation.Event, error) {
	return d.Revoke(env.Grants)
}

// ExpireDelegation notes that the time of a delegation or of an invitation is
// over, if it is.
type ExpireDelegation struct {
	DelegationID string
}

// Target is the delegation.
func (c ExpireDelegation) Target() delegation.Target { return delegation.Decider.At(c.DelegationID) }

// Permission is that of the system.
func (ExpireDelegation) Permission() domain.Permission { return delegation.System }

// Decide looks at the time.
func (ExpireDelegation) Decide(d delegation.Delegation, env Env) ([]delegation.Event, error) {
	return d.Expire(env.Now)
}
