package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/delegation"
)

func (p *pages) leaving(v *visit) error { return p.showLeaving(v, http.StatusOK) }

// leavePage asks a delegate whether it wants to be one no more.
type leavePage struct {
	Name string
	// Owner is true for who has nothing to leave.
	Owner bool
}

func (p *pages) showLeaving(v *visit, status int) error {
	if !v.page.May.Tokens { // which members alone have
		return delegation.Refusal(v.caller.Grants, v.account, delegation.Member, delegation.Resource{Kind: "delegation"})
	}
	mine, err := p.Reader.OwnAccounts(v.r.Context(), v.caller.Grants)
	if err != nil {
		return err
	}
	body := leavePage{Owner: v.page.May.Own}
	for _, own := range mine {
		if own.ID == v.account {
			body.Name = own.Name
		}
	}
	return p.show(v, status, "leave", "accounts", v.title("leave.title"), body)
}

func (p *pages) leave(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.LeaveAccount{AccountID: v.account}
	call, err := p.call(v, in, ask)
	var receipt commands.Receipt
	if err == nil {
		receipt, err = p.Dispatcher.LeaveAccount(v.r.Context(), call, ask)
	}
	if err == nil {
		err = p.inForce(v.r, receipt.Position)
	}
	if err != nil {
		status, err := p.refused(v, in, err)
		if err != nil {
			return err
		}
		return p.showLeaving(v, status)
	}
	see(v.w, v.r, "/portal")
	return nil
}
