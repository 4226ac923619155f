package portal

import (
	"net/http"
	"strings"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/projections"
)

// staffUsersPath is where staff find users.
const staffUsersPath = staffPath + "/users"

// staffUsers shows the user that staff look for.
func (p *pages) staffUsers(v *visit) error {
	query := strings.TrimSpace(v.query("q"))
	found, err := p.Reader.StaffUsers(v.r.Context(), v.caller.Grants, query)
	if err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "staff_users", "staff_users", v.title("staff_users.title"), foundPage[projections.UserRow]{query, listPage[projections.UserRow]{Items: found}})
}

func (p *pages) staffUser(v *visit) error { return p.showStaffUser(v, http.StatusOK) }

func (p *pages) showStaffUser(v *visit, status int) error {
	row, err := p.Reader.StaffUser(v.r.Context(), v.caller.Grants, v.id())
	if err != nil {
		return err
	}
	return p.show(v, status, "staff_user", "staff_users", row.Name, row)
}

// requestFactorReset begins the way back for a user who lost every second
// factor.
func (p *pages) requestFactorReset(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.RequestFactorReset{UserID: v.id(), Reason: in.value("reason")}
	var receipt commands.Receipt
	call, err := p.call(v, in, ask)
	if err == nil {
		receipt, _, err = p.Dispatcher.RequestFactorReset(v.r.Context(), call, ask)
	}
	return p.staffUserWritten(v, in, receipt, err, "reset_asked")
}

// cancelFactorReset stops a reset that waits.
func (p *pages) cancelFactorReset(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.CancelFactorReset{UserID: v.id()})
	return p.staffUserWritten(v, in, receipt, err, "reset_stopped")
}

// staffUserWritten shows a user again, or what is wrong with the change.
func (p *pages) staffUserWritten(v *visit, in input, receipt commands.Receipt, err error, done string) error {
	if err != nil {
		status, err := p.refused(v, in, err, "reason")
		if err != nil {
			return err
		}
		return p.showStaffUser(v, status)
	}
	return p.written(v, receipt.Position, staffUsersPath+"/"+v.id(), done, "logins")
}
