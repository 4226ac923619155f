package portal

import (
	"net/http"
	"slices"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/account"
)

func (p *pages) communication(v *visit) error { return p.showCommunication(v, http.StatusOK) }

func (p *pages) showCommunication(v *visit, status int) error {
	row, err := p.Reader.Account(v.r.Context(), v.caller.Grants, v.account)
	if err != nil {
		return err
	}
	return p.show(v, status, "communication", "account", v.title("communication.title"), row.Communication)
}

func (p *pages) updateCommunication(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ticked := func(class account.MailClass) *bool {
		on := slices.Contains(in.values["mail"], string(class))
		return &on
	}
	done, err := execute(p, v, in, commands.UpdateAccount{AccountID: v.account, Communication: &account.Choice{
		Services: ticked(account.MailServices), Tickets: ticked(account.MailTickets), News: ticked(account.MailNews),
	}})
	if err != nil {
		status, err := p.refused(v, in, err)
		if err != nil {
			return err
		}
		return p.showCommunication(v, status)
	}
	return p.written(v, done.Position, v.path("communication"), "communication", "accounts")
}
