package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

func (p *pages) transfer(v *visit) error { return p.showTransfer(v, http.StatusOK) }

// transferPage is the offer that waits for its answer, or the form of one.
type transferPage struct {
	Name string
	Open *projections.TransferRow
}

func (p *pages) showTransfer(v *visit, status int) error {
	open, err := p.Reader.Transfers(v.r.Context(), v.caller.Grants, v.account, projections.Page{})
	if err != nil {
		return err
	}
	row, err := p.Reader.Account(v.r.Context(), v.caller.Grants, v.account)
	if err != nil {
		return err
	}
	body := transferPage{Name: row.Name}
	if len(open.Items) > 0 {
		body.Open = &open.Items[0]
	}
	return p.show(v, status, "transfer", "account", v.title("transfer.title"), body)
}

func (p *pages) proposeTransfer(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.ProposeTransfer{AccountID: v.account, Email: in.value("email")}
	if in.value("keep") != "" {
		ask.Keep = &delegation.Terms{Permissions: []domain.Permission{all}, Scope: delegation.Scope{All: true}}
	}
	call, err := p.call(v, in, ask)
	var receipt commands.Receipt
	if err == nil {
		receipt, err = p.Dispatcher.ProposeTransfer(v.r.Context(), call, ask)
	}
	return p.transferWritten(v, in, receipt, err, "transfer_proposed")
}

func (p *pages) withdrawTransfer(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.WithdrawTransfer{AccountID: v.account, TransferID: v.id()})
	return p.transferWritten(v, in, receipt, err, "transfer_withdrawn")
}

func (p *pages) transferWritten(v *visit, in input, receipt commands.Receipt, err error, done string) error {
	if err != nil {
		status, err := p.refused(v, in, err, "email")
		if err != nil {
			return err
		}
		return p.showTransfer(v, status)
	}
	return p.written(v, receipt.Position, v.path("transfer"), done, "accounts")
}
