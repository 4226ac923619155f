package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/delegation"
)

func (p *pages) closeAccount(v *visit) error { return p.showCloseAccount(v, http.StatusOK) }

func (p *pages) showCloseAccount(v *visit, status int) error {
	owner := delegation.Resource{Kind: "account", ID: v.account}
	if !delegation.Can(v.caller.Grants, v.account, delegation.Owner, owner) {
		return delegation.Refusal(v.caller.Grants, v.account, delegation.Owner, owner)
	}
	row, err := p.Reader.Account(v.r.Context(), v.caller.Grants, v.account)
	if err != nil {
		return err
	}
	return p.show(v, status, "close", "account", v.title("close.title"), row)
}

func (p *pages) requestClosing(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.RequestClosing{AccountID: v.account}
	call, err := p.call(v, in, ask)
	var receipt commands.Receipt
	if err == nil {
		receipt, err = p.Dispatcher.RequestClosing(v.r.Context(), call, ask)
	}
	return p.closingWritten(v, in, receipt, err, "closing_asked")
}

func (p *pages) withdrawClosing(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.WithdrawClosing{AccountID: v.account})
	return p.closingWritten(v, in, receipt, err, "closing_withdrawn")
}

func (p *pages) closingWritten(v *visit, in input, receipt commands.Receipt, err error, done string) error {
	if err != nil {
		status, err := p.refused(v, in, err)
		if err != nil {
			return err
		}
		return p.showCloseAccount(v, status)
	}
	return p.written(v, receipt.Position, v.path("close"), done, "accounts")
}
