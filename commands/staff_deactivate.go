package commands

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// DeactivateStaff ends a staff member's work. The user stays, as a customer.
type DeactivateStaff struct {
	MemberID string `json:"-"`
}

// DeactivateStaff ends the member's sessions with its role. It is refused for
// the last admin, and for oneself.
func (d *Dispatcher) DeactivateStaff(ctx context.Context, call Call, cmd DeactivateStaff) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	var acting []vault.Impersonation
	receipt, err := d.changeMember(ctx, call, cmd.MemberID,
		func(m staff.Member) ([]staff.Event, error) { return m.Deactivate(cmd.MemberID == call.Grants.User) },
		func(facts int, changes bool) (_ Receipt, err error) {
			end := func() (Receipt, error) { return Execute(ctx, d, call, deactivateStaff{cmd.MemberID, facts}) }
			if !changes {
				return end()
			}
			if acting, err = d.Vault.Impersonations(ctx, cmd.MemberID, ""); err != nil {
				return Receipt{}, err
			}
			return endingSessions(ctx, d, cmd.MemberID, "", end)
		})
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.noteEnded(ctx, call, acting, impersonation.ByDismissal)
}

// FinishDismissal notes that what a dismissed staff member did for customers is
// over: it was with its sessions, and who dismissed it may have died before
// saying so. A process manager calls it because of the event.
func (d *Dispatcher) FinishDismissal(ctx context.Context, call Call, memberID string, cause uuid.UUID) error {
	_, dismissed, err := eventOf[staff.Deactivated](ctx, d.Streams(), staff.Decider.At(memberID), cause)
	if err != nil || !dismissed.RecordedAt.Add(impersonation.Longest).After(d.Clock()) {
		return err // what was on has ended at its time
	}
	var acting []vault.Impersonation
	err = d.eachEvent(ctx, []string{impersonation.Decider.Category}, func(r eventstore.Recorded) error {
		over := r.RecordedAt.Add(impersonation.Longest).Before(dismissed.RecordedAt)
		if over || !r.Position.Before(dismissed.Position) || r.Type != (impersonation.Started{}).EventType() {
			return nil
		}
		e, m, err := d.Codec.Decode(ctx, r)
		if err != nil {
			return storeError("read the log", err)
		}
		if begun, ok := e.(impersonation.Started); ok && begun.Staff == memberID {
			acting = append(acting, vault.Impersonation{ID: m.AggregateID, Account: begun.Account})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.noteEnded(ctx, call, acting, impersonation.ByDismissal)
}

type deactivateStaff struct {
	user string
	// facts is how many the member's stream had when the roster was told.
	facts int
}

func (c deactivateStaff) Target() staff.Target        { return staff.Decider.At(c.user) }
func (deactivateStaff) Permission() domain.Permission { return delegation.StaffMembers }

func (c deactivateStaff) Decide(m staff.Member, env Env) ([]staff.Event, error) {
	return unmoved(m, c.facts)(m.Deactivate(c.user == env.Grants.User))
}

// worker is whether a user is a staff member, gathered by commands that must
// not be done to staff: the roster would count it on, or its second factors go.
type worker struct{ member staff.Member }

func workerOf(ctx context.Context, s Streams, id string) (worker, error) {
	m, err := Load(ctx, s, staff.Decider.At(id))
	return worker{m}, err
}

// of reports whether the user is a staff member, or about to be one.
func (w worker) of(u user.User, now time.Time) bool {
	return u.IsStaff(w.member.Role != "", w.member.Facts, now)
}

// noStaff refuses who is a staff member before anything is touched; that it is
// none is decided again with the change.
func (d *Dispatcher) noStaff(ctx context.Context, id string) error {
	w, err := workerOf(ctx, d.Streams(), id)
	if err == nil && w.member.Role != "" {
		err = staff.ErrActive
	}
	return err
}
