package commands

import (
	"context"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
)

// RequestErasure asks that all that is held about a user be erased, and the
// accounts that the user owns with it. Whether it may be is answered by
// AnswerErasure, which a process manager calls.
type RequestErasure struct {
	UserID   string `json:"-"`
	Password string `json:"password" doc:"The caller's password."`
}

// RequestErasure is the person's own request.
func (d *Dispatcher) RequestErasure(ctx context.Context, call Call, cmd RequestErasure) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if _, _, err := d.provenSelf(ctx, call, cmd.UserID, "password", cmd.Password); err != nil {
		return Receipt{}, err
	}
	// Its answer reads the log.
	attempt, err := d.Vault.Try(ctx, vault.OwnMail, cmd.UserID)
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := Execute(ctx, d, call, submitErasure{user: cmd.UserID, by: privacy.ByPassword, permission: delegation.Self})
	return receipt, d.unanswered(ctx, attempt, err)
}

// RequestErasureFor is RequestErasure by staff, who have made sure that the
// person asks.
type RequestErasureFor struct {
	UserID string `json:"-"`
}

// RequestErasureFor asks for another person.
func (d *Dispatcher) RequestErasureFor(ctx context.Context, call Call, cmd RequestErasureFor) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if err := d.freshStaff(ctx, call, delegation.StaffPrivacy, cmd.UserID); err != nil {
		return Receipt{}, err
	}
	return Execute(ctx, d, call, submitErasure{user: cmd.UserID, by: privacy.ByStaff, permission: delegation.StaffPrivacy})
}

type submitErasure struct {
	user       string
	by         privacy.Method
	permission domain.Permission
	// known is true for a user that there is, works for a staff member.
	known, works bool
}

func (c submitErasure) Target() privacy.Target        { return privacy.Decider.At(c.user) }
func (c submitErasure) Permission() domain.Permission { return c.permission }

// Gather looks whether there is such a user, and whether it is staff.
func (c submitErasure) Gather(ctx context.Context, s Streams) (submitErasure, error) {
	u, err := Load(ctx, s, user.Decider.At(c.user))
	if err != nil {
		return c, err
	}
	c.known = u.Exists()
	w, err := workerOf(ctx, s, c.user)
	c.works = w.member.Role != ""
	return c, err
}

func (c submitErasure) Decide(s privacy.Subject, _ Env) ([]privacy.Event, error) {
	switch {
	case !c.known:
		return nil, user.ErrMissing
	case c.works:
		return nil, staff.ErrActive
	}
	return s.Ask(c.by)
}

// WithdrawErasure takes the caller's own request back, as long as it is not
// answered. It needs no confirmation: it only keeps what there is.
type WithdrawErasure struct {
	UserID string `json:"-"`
}

// Target is the user's data.
func (c WithdrawErasure) Target() privacy.Target { return privacy.Decider.At(c.UserID) }

// Permission is being that user.
func (WithdrawErasure) Permission() domain.Permission { return delegation.Self }

// Decide withdraws the request.
func (WithdrawErasure) Decide(s privacy.Subject, _ Env) ([]privacy.Event, error) {
	return s.Withdraw()
}

// SetLegalHold forbids to destroy any data of a user.
type SetLegalHold struct {
	UserID    string `json:"-"`
	Reference string `json:"reference" doc:"The number of the case, never a name."`
	known     bool
}

// Target is the user's data.
func (c SetLegalHold) Target() privacy.Target { return privacy.Decider.At(c.UserID) }

// Permission is that of staff who answer for data.
func (SetLegalHold) Permission() domain.Permission { return delegation.StaffPrivacy }

// Gather looks whether there is such a user.
func (c SetLegalHold) Gather(ctx context.Context, s Streams) (SetLegalHold, error) {
	u, err := Load(ctx, s, user.Decider.At(c.UserID))
	c.known = u.Exists()
	return c, err
}

// Decide sets the hold.
func (c SetLegalHold) Decide(s privacy.Subject, _ Env) ([]privacy.Event, error) {
	if !c.known {
		return nil, user.ErrMissing
	}
	return s.SetHold(c.Reference)
}

// LiftLegalHold ends the hold on a user's data.
type LiftLegalHold struct {
	UserID string `json:"-"`
}

// LiftLegalHold is for staff who have proven lately who they are: keys whose day
// has come are destroyed then.
func (d *Dispatcher) LiftLegalHold(ctx context.Context, call Call, cmd LiftLegalHold) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if err := d.freshStaff(ctx, call, cmd.Permission(), cmd.UserID); err != nil {
		return Receipt{}, err
	}
	return Execute(ctx, d, call, cmd)
}

// Target is the user's data.
func (c LiftLegalHold) Target() privacy.Target { return privacy.Decider.At(c.UserID) }

// Permission is that of staff who answer for data.
func (LiftLegalHold) Permission() domain.Permission { return delegation.StaffPrivacy }

// Decide lifts the hold.
func (LiftLegalHold) Decide(s privacy.Subject, _ Env) ([]privacy.Event, error) { return s.LiftHold() }

// NoteExport notes that a copy of a user's data, or of an account that it
// owns, is about to leave.
type NoteExport struct {
	UserID string `json:"-"`
	// AccountID is the account's, "" for the user's own data.
	AccountID string `json:"-"`
}

// Target is the user's data.
func (c NoteExport) Target() privacy.Target { return privacy.Decider.At(c.UserID) }

// Permission is being that user.
func (NoteExport) Permission() domain.Permission { return delegation.Self }

// Decide notes the export.
func (c NoteExport) Decide(s privacy.Subject, env Env) ([]privacy.Event, error) {
	return s.Export(c.AccountID, env.Now)
}
