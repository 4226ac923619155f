package commands

import (
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/roster"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
)

// HireStaff makes a user who has registered and verified its address a staff
// member. Nobody but that user ever knows its password.
type HireStaff struct {
	Email string          `json:"email" format:"email" doc:"That of a user who has verified it."`
	Role  delegation.Role `json:"role" enum:"admin,billing,support,auditor"`
}

// ErrNobodyToHire says that no verified user has the address.
var ErrNobodyToHire = domain.Conflict("no_such_user", "No user has verified this address; the person registers first.")

// HireStaff gives the user a role.
func (d *Dispatcher) HireStaff(ctx context.Context, call Call, cmd HireStaff) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if err := d.mayManageStaff(ctx, call); err != nil {
		return Receipt{}, err
	}
	if _, err := (staff.Member{}).Hire(cmd.Role); err != nil {
		return Receipt{}, err
	}
	id, u, err := d.userOf(ctx, user.NormalEmail(cmd.Email))
	if err != nil {
		return Receipt{}, err
	}
	if id == "" || !u.Verified || u.MayEnter() != nil {
		return Receipt{}, ErrNobodyToHire
	}
	return d.hire(ctx, call, call, hireStaff{id, cmd.Role, delegation.StaffMembers})
}

// mayManageStaff lets in who looks after the staff, and has lately proven that
// it is no stolen session.
func (d *Dispatcher) mayManageStaff(ctx context.Context, call Call) error {
	if err := authorise(call, delegation.StaffMembers, delegation.Resource{Kind: staff.Decider.Category}); err != nil || call.Grants.System {
		return err
	}
	u, err := Load(ctx, d.Streams(), user.Decider.At(call.Grants.User))
	if err != nil {
		return err
	}
	return RequireFresh(call, u)
}

// hire hires by a step of the call, which may be the call itself, and counts
// admins.
func (d *Dispatcher) hire(ctx context.Context, call, step Call, cmd hireStaff) (Receipt, error) {
	receipt, err := Execute(ctx, d, step, cmd)
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.countAdmin(ctx, call, cmd.user)
}

type hireStaff struct {
	user       string
	role       delegation.Role
	permission domain.Permission
}

func (c hireStaff) Target() staff.Target          { return staff.Decider.At(c.user) }
func (c hireStaff) Permission() domain.Permission { return c.permission }

func (c hireStaff) Decide(m staff.Member, _ Env) ([]staff.Event, error) { return m.Hire(c.role) }

// countAdmin puts a user on the roster if it is an admin.
func (d *Dispatcher) countAdmin(ctx context.Context, call Call, id string) error {
	_, err := Execute(ctx, d, call.Step("count admin"), addAdmin{user: id})
	return err
}

type addAdmin struct {
	user string
	role delegation.Role
}

func (addAdmin) Target() roster.Target         { return roster.Decider.At(roster.ID) }
func (addAdmin) Permission() domain.Permission { return delegation.System }

// Gather looks what the user is by now.
func (c addAdmin) Gather(ctx context.Context, s Streams) (addAdmin, error) {
	m, err := Load(ctx, s, staff.Decider.At(c.user))
	c.role = m.Role
	return c, err
}

func (c addAdmin) Decide(r roster.Roster, _ Env) ([]roster.Event, error) {
	if c.role != delegation.RoleAdmin {
		return nil, nil
	}
	return r.Add(c.user)
}

type removeAdmin struct{ user string }

func (removeAdmin) Target() roster.Target         { return roster.Decider.At(roster.ID) }
func (removeAdmin) Permission() domain.Permission { return delegation.System }

func (c removeAdmin) Decide(r roster.Roster, _ Env) ([]roster.Event, error) { return r.Remove(c.user) }
