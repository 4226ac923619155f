package commands

import (
	"context"
	"errors"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/staff"
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
	receipt, err := d.changeMember(ctx, call, cmd.MemberID,
		func(m staff.Member) ([]staff.Event, error) {
			return m.Assign(cmd.Role, cmd.MemberID == call.Grants.User)
		},
		func(facts int, _ bool) (Receipt, error) {
			return Execute(ctx, d, call, assignRole{cmd.MemberID, cmd.Role, facts})
		})
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.countAdmin(ctx, call, cmd.MemberID)
}

// changeMember changes a staff member whom the caller may change. An admin is
// taken off the roster first, as of the facts that the change is decided on;
// when others came between, both are done anew. change is told how many facts
// there were, and whether there is anything to change.
func (d *Dispatcher) changeMember(ctx context.Context, call Call, id string, decide func(staff.Member) ([]staff.Event, error), change func(facts int, changes bool) (Receipt, error)) (Receipt, error) {
	if err := d.mayManageStaff(ctx, call); err != nil {
		return Receipt{}, err
	}
	for {
		f, err := fold(ctx, d.Streams(), staff.Decider.At(id), call.CommandID, folded[staff.Member]{})
		if err != nil {
			return Receipt{}, err
		}
		if f.own != nil {
			return change(f.state.Facts, false) // it was done before
		}
		if f.count > 0 && call.stale(f.count) {
			return Receipt{}, domain.ErrStale // before the roster is touched
		}
		changes, err := decide(f.state)
		if err != nil {
			return Receipt{}, err
		}
		if len(changes) > 0 && f.state.Role == delegation.RoleAdmin {
			if err := d.stopCounting(ctx, call, id, f.state.Facts); err != nil {
				return Receipt{}, err
			}
		}
		receipt, err := change(f.state.Facts, len(changes) > 0)
		if !errors.Is(err, errMemberMoved) {
			return receipt, err
		}
		if ctx.Err() != nil {
			return Receipt{}, storeError("change staff member "+id, ctx.Err())
		}
	}
}

// stopCounting takes an admin off the roster, unless it is the last one. Each
// try takes it off anew: what came of an earlier one may be over.
func (d *Dispatcher) stopCounting(ctx context.Context, call Call, id string, facts int) error {
	until := d.Clock().Add(holdFor)
	_, err := Execute(ctx, d, call.Step("stop counting "+until.UTC().String()), removeAdmin{id, facts, until})
	return err
}

type assignRole struct {
	user string
	role delegation.Role
	// facts is how many the member's stream had when the roster was told.
	facts int
}

func (c assignRole) Target() staff.Target        { return staff.Decider.At(c.user) }
func (assignRole) Permission() domain.Permission { return delegation.StaffMembers }

func (c assignRole) Decide(m staff.Member, env Env) ([]staff.Event, error) {
	return unmoved(m, c.facts)(m.Assign(c.role, c.user == env.Grants.User))
}

// unmoved lets a change of a staff member through if the member's stream has
// as many facts as when the roster was told of it.
func unmoved(m staff.Member, facts int) func([]staff.Event, error) ([]staff.Event, error) {
	return func(events []staff.Event, err error) ([]staff.Event, error) {
		if err == nil && len(events) > 0 && m.Facts != facts {
			return nil, errMemberMoved
		}
		return events, err
	}
}
