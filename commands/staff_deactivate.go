package commands

import (
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/staff"
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
	m, err := d.member(ctx, call, cmd.MemberID)
	if err != nil {
		return Receipt{}, err
	}
	end := deactivateStaff{cmd.MemberID}
	changes, err := m.Deactivate(cmd.MemberID == call.Grants.User)
	if err != nil {
		return Receipt{}, err
	}
	if len(changes) == 0 {
		return Execute(ctx, d, call, end)
	}
	if m.Role == delegation.RoleAdmin {
		if err := d.stopCounting(ctx, call, cmd.MemberID); err != nil {
			return Receipt{}, err
		}
	}
	acting, err := d.Vault.Impersonations(ctx, cmd.MemberID, "")
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := endingSessions(ctx, d, cmd.MemberID, "", func() (Receipt, error) { return Execute(ctx, d, call, end) })
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.noteEnded(ctx, call, acting, impersonation.ByDismissal)
}

type deactivateStaff struct{ user string }

func (c deactivateStaff) Target() staff.Target        { return staff.Decider.At(c.user) }
func (deactivateStaff) Permission() domain.Permission { return delegation.StaffMembers }

func (c deactivateStaff) Decide(m staff.Member, env Env) ([]staff.Event, error) {
	return m.Deactivate(c.user == env.Grants.User)
}

// noStaff refuses for who is a staff member: the roster would count it on.
func (d *Dispatcher) noStaff(ctx context.Context, id string) error {
	m, err := Load(ctx, d.Streams(), staff.Decider.At(id))
	if err == nil && m.Role != "" {
		err = staff.ErrActive
	}
	return err
}
