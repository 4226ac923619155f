package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

// membersPath is where admins see who works here.
const membersPath = staffPath + "/members"

// membersPage are staff members, and the form that hires another.
type membersPage struct {
	listPage[projections.StaffRow]
	Roles []delegation.Role
}

// memberPage is one of them.
type memberPage struct {
	projections.StaffRow
	Roles []delegation.Role
	// Self is true for the viewer's own: nobody changes its own role.
	Self bool
}

func (p *pages) members(v *visit) error { return p.showMembers(v, http.StatusOK) }

func (p *pages) showMembers(v *visit, status int) error {
	list, err := p.Reader.StaffMembers(v.r.Context(), v.caller.Grants, v.from())
	if err != nil {
		return err
	}
	return p.show(v, status, "members", "members", v.title("members.title"), membersPage{listed(v, list), delegation.Roles()})
}

func (p *pages) member(v *visit) error { return p.showMember(v, http.StatusOK) }

func (p *pages) showMember(v *visit, status int) error {
	row, err := p.Reader.StaffMember(v.r.Context(), v.caller.Grants, v.id())
	if err != nil {
		return err
	}
	return p.show(v, status, "member", "members", row.Name, memberPage{row, delegation.Roles(), row.ID == v.caller.Grants.User})
}

func (p *pages) hireMember(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.HireStaff{Email: in.value("email"), Role: delegation.Role(in.value("role"))}
	var receipt commands.Receipt
	call, err := p.call(v, in, ask)
	if err == nil {
		receipt, err = p.Dispatcher.HireStaff(v.r.Context(), call, ask)
	}
	return p.memberWritten(v, in, receipt, err, "member_hired", p.showMembers)
}

func (p *pages) assignMember(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.AssignStaffRole{MemberID: v.id(), Role: delegation.Role(in.value("role"))}
	var receipt commands.Receipt
	call, err := p.call(v, in, ask)
	if err == nil {
		receipt, err = p.Dispatcher.AssignStaffRole(v.r.Context(), call, ask)
	}
	return p.memberWritten(v, in, receipt, err, "member_role", p.showMember)
}

func (p *pages) deactivateMember(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.DeactivateStaff{MemberID: v.id()}
	var receipt commands.Receipt
	call, err := p.call(v, in, ask)
	if err == nil {
		receipt, err = p.Dispatcher.DeactivateStaff(v.r.Context(), call, ask)
	}
	return p.memberWritten(v, in, receipt, err, "member_gone", p.showMember)
}

// memberWritten says that a change is made once it is in force; show is the
// page of the form.
func (p *pages) memberWritten(v *visit, in input, receipt commands.Receipt, err error, done string, show func(*visit, int) error) error {
	if err != nil {
		status, err := p.refused(v, in, err, "email", "role")
		if err != nil {
			return err
		}
		return show(v, status)
	}
	if err := p.inForce(v.r, receipt.Position); err != nil {
		return err
	}
	return p.written(v, receipt.Position, membersPath, done, "staff_members")
}
