package commands

import (
	"context"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/eventstore"
)

// AssignStaffRole gives a staff member another role.
type AssignStaffRole struct {
	MemberID string          `json:"-"`
	Role     delegation.Role `json:"role" enum:"admin,billing,support,auditor"`
}

// AssignStaffRole is refused for the last admin, and for oneself.
func (d *Dispatcher) AssignStaffRole(ctx context.Context, call Call, cmd AssignStaffRole) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	m, err := d.member(ctx, call, cmd.MemberID)
	if err != nil {
		return Receipt{}, err
	}
	changes, err := m.Assign(cmd.Role, cmd.MemberID == call.Grants.User)
	if err != nil {
		return Receipt{}, err
	}
	if len(changes) > 0 && m.Role == delegation.RoleAdmin {
		if err := d.stopCounting(ctx, call, cmd.MemberID); err != nil {
			return Receipt{}, err
		}
	}
	receipt, err := Execute(ctx, d, call, assignRole{cmd.MemberID, cmd.Role})
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.countAdmin(ctx, call, cmd.MemberID)
}

// member is a staff member whom the caller may change.
func (d *Dispatcher) member(ctx context.Context, call Call, id string) (staff.Member, error) {
	if err := d.mayManageStaff(ctx, call); err != nil {
		return staff.Member{}, err
	}
	f, err := fold(ctx, d.Streams(), staff.Decider.At(id), uuid.Nil, folded[staff.Member]{})
	if err == nil && f.count > 0 && call.IfMatch != nil && eventstore.After(f.count) != eventstore.Revision(*call.IfMatch) {
		err = domain.ErrStale // before the roster is touched
	}
	return f.state, err
}

// stopCounting takes an admin off the roster, unless it is the last one.
func (d *Dispatcher) stopCounting(ctx context.Context, call Call, id string) error {
	_, err := Execute(ctx, d, call.Step("stop counting"), removeAdmin{id})
	return err
}

type assignRole struct {
	user string
	role delegation.Role
}

func (c assignRole) Target() staff.Target        { return staff.Decider.At(c.user) }
func (assignRole) Permission() domain.Permission { return delegation.StaffMembers }

func (c assignRole) Decide(m staff.Member, env Env) ([]staff.Event, error) {
	return m.Assign(c.role, c.user == env.Grants.User)
}
