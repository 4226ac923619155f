package commands

import (
	"cmp"
	"context"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/staff"
)

// CreateStaff makes a staff member: a user that logs in, hired in a role.
type CreateStaff struct {
	RegisterUser
	Role delegation.Role `json:"role"`
}

// CreatedStaff is a staff member.
type CreatedStaff struct {
	Receipt
	// Existing is true when the address belonged to a user already: that user
	// was hired, and keeps its own name and password.
	Existing bool
}

// CreateStaff registers the user and hires it. Repeated after a crash, or for
// an address that is known, it hires the user that is there.
func (d *Dispatcher) CreateStaff(ctx context.Context, call Call, cmd CreateStaff) (CreatedStaff, error) {
	if !delegation.Can(call.Grants, "", delegation.System, delegation.Resource{Kind: staff.Decider.Category}) {
		return CreatedStaff{}, domain.ErrDenied
	}
	if _, err := (staff.Member{}).Hire(cmd.Role); err != nil {
		return CreatedStaff{}, err
	}
	cmd.Vouched = true
	registered, owner, err := d.register(ctx, call, cmd.RegisterUser)
	if err != nil {
		return CreatedStaff{}, err
	}
	receipt, err := d.hire(ctx, call, call.Step("hire"), hireStaff{user: cmp.Or(owner, registered.ID), role: cmd.Role, permission: delegation.System})
	return CreatedStaff{Receipt: receipt, Existing: owner != ""}, err
}
