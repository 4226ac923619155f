package commands

import (
	"context"
	"time"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// CloseUser ends the caller's own log-in for good.
type CloseUser struct {
	UserID   string `json:"-"`
	Password string `json:"password" doc:"The caller's password."`
}

// CloseUser is refused while the caller owns an account that is not closed. Who
// owns what is told by the rights that the call carries.
func (d *Dispatcher) CloseUser(ctx context.Context, call Call, cmd CloseUser) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, _, err := d.provenSelf(ctx, call, cmd.UserID, "password", cmd.Password)
	if err == nil {
		err = d.noStaff(ctx, cmd.UserID)
	}
	if err != nil {
		return Receipt{}, err
	}
	owns := false // as far as the call's rights go
	for _, grant := range call.Grants.Accounts {
		owns = owns || grant.Owner && !grant.Closed
	}
	shut := closeUser{user: cmd.UserID, owns: owns}
	ready, err := shut.Gather(ctx, d.Streams())
	if err == nil {
		_, err = ready.Decide(u, Env{Now: d.Clock()})
	}
	if err != nil {
		return Receipt{}, err // and no session has ended
	}
	receipt, err := endingSessions(ctx, d, cmd.UserID, "", func() (Receipt, error) { return Execute(ctx, d, call.letIn(), shut) })
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.FinishClose(ctx, call, cmd.UserID)
}

// FinishClose gives up what a closed user leaves behind: sessions, devices,
// mailed links, its address. Of a locked one it ends the sessions. Process
// managers call it again for every user that was closed or locked.
func (d *Dispatcher) FinishClose(ctx context.Context, call Call, id string) error {
	u, err := Load(ctx, d.Streams(), user.Decider.At(id))
	if err != nil || u.MayEnter() == nil {
		return err
	}
	if err := d.Vault.EndSessions(ctx, id, ""); err != nil || !u.IsClosed {
		return err
	}
	if err := d.Vault.ForgetDevices(ctx, id); err != nil {
		return err
	}
	if err := d.Vault.EndMailTokens(ctx, id, vault.VerifyEmail, vault.ChangeEmail, vault.ResetPassword, vault.CancelFactorReset); err != nil || u.Email == eventstore.Erased {
		return err
	}
	return d.free(ctx, call, user.NormalEmail(u.Email), id)
}

type closeUser struct {
	user string
	owns bool
	// accounts are those that the user was claimed for.
	accounts map[string]account.Account
	worker
}

func (c closeUser) Target() user.Target         { return user.Decider.At(c.user) }
func (closeUser) Permission() domain.Permission { return delegation.Self }

// Gather looks whether the user is staff, and what it has taken over.
func (c closeUser) Gather(ctx context.Context, s Streams) (closeUser, error) {
	var err error
	if c.worker, err = workerOf(ctx, s, c.user); err != nil {
		return c, err
	}
	c.accounts, err = claimed(ctx, s, c.user)
	return c, err
}

func (c closeUser) Decide(u user.User, env Env) ([]user.Event, error) {
	if c.of(u, env.Now) {
		return nil, staff.ErrActive
	}
	owns, takesOver := comeOf(u, c.user, c.accounts, env.Now)
	return u.Close(c.owns || owns, takesOver)
}

// LockUser keeps a user out until it is unlocked.
type LockUser struct {
	UserID string `json:"-"`
	Reason string `json:"reason" doc:"For the record; the user is not told of it, but finds it in its export."`
}

// LockUser ends the user's sessions, too. It is refused for staff, who are
// deactivated: else the last admin could be locked out.
func (d *Dispatcher) LockUser(ctx context.Context, call Call, cmd LockUser) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if err := d.freshStaff(ctx, call, delegation.StaffAccounts, cmd.UserID); err != nil {
		return Receipt{}, err
	}
	receipt, err := Execute(ctx, d, call, lockUser{user: cmd.UserID, reason: cmd.Reason})
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.Vault.EndSessions(ctx, cmd.UserID, "")
}

// freshStaff refuses staff who may not do something to a user, or have not
// proven lately who they are.
func (d *Dispatcher) freshStaff(ctx context.Context, call Call, p domain.Permission, id string) error {
	if err := authorise(call, p, delegation.Resource{Kind: user.Decider.Category, ID: id}); err != nil {
		return err
	}
	return d.requireFresh(ctx, call)
}

type lockUser struct {
	user, reason string
	worker
}

func (c lockUser) Target() user.Target         { return user.Decider.At(c.user) }
func (lockUser) Permission() domain.Permission { return delegation.StaffAccounts }

// Gather looks whether the user is staff.
func (c lockUser) Gather(ctx context.Context, s Streams) (lockUser, error) {
	var err error
	c.worker, err = workerOf(ctx, s, c.user)
	return c, err
}

func (c lockUser) Decide(u user.User, env Env) ([]user.Event, error) {
	if c.of(u, env.Now) {
		return nil, staff.ErrActive
	}
	return u.Lock(c.reason)
}

// UnlockUser lets a locked user in again.
type UnlockUser struct {
	UserID string `json:"-"`
}

// Target is the user.
func (c UnlockUser) Target() user.Target { return user.Decider.At(c.UserID) }

// Permission is staff's.
func (UnlockUser) Permission() domain.Permission { return delegation.StaffAccounts }

// Decide unlocks the user.
func (UnlockUser) Decide(u user.User, _ Env) ([]user.Event, error) { return u.Unlock() }

// ObserveLoginFailures writes the failed log-ins of hours that are over to
// their users' streams, one event per user and hour, also after a crash.
func (d *Dispatcher) ObserveLoginFailures(ctx context.Context, call Call) error {
	for {
		found, err := d.Vault.Unobserved(ctx)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, f := range found {
			hour := f.Hour.UTC().Format(time.RFC3339)
			once := call
			once.CommandID = derive(derive(call.CommandID, "failures"), f.UserID, hour)
			if _, err := Execute(ctx, d, once, observeFailures{f.UserID, hour, f.Count}); err != nil {
				return err
			}
			if err := d.Vault.Observed(ctx, f); err != nil {
				return err
			}
		}
	}
}

type observeFailures struct {
	user, hour string
	count      int
}

func (c observeFailures) Target() user.Target         { return user.Decider.At(c.user) }
func (observeFailures) Permission() domain.Permission { return delegation.System }

func (c observeFailures) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.ObserveFailures(c.hour, c.count)
}
