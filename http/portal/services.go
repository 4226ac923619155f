package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

func (p *pages) services(v *visit) error {
	list, err := p.Reader.Services(v.r.Context(), v.caller.Grants, v.account, v.from())
	if err != nil {
		return err
	}
	if err := p.followList(v, "services", list); err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "services", "services", v.title("menu.services"), listed(v, list))
}

// servicePage is what the page of one service shows.
type servicePage struct {
	Service   projections.ServiceRow
	MayRename bool
}

func (p *pages) service(v *visit) error { return p.showService(v, http.StatusOK) }

func (p *pages) showService(v *visit, status int) error {
	row, err := p.Reader.Service(v.r.Context(), v.caller.Grants, v.account, v.id())
	if err != nil {
		return err
	}
	if err := p.follow(v, "service", row.ID, row); err != nil {
		return err
	}
	return p.show(v, status, "service", "services", row.Name+" · "+row.Label, servicePage{
		Service: row, MayRename: v.can(delegation.ServicesManage, "hosting", row.ID),
	})
}

func (p *pages) renameService(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.RenameService{ServiceID: v.id(), Label: in.value("label")})
	if err != nil {
		status, err := p.refused(v, in, err, "label")
		if err != nil {
			return err
		}
		return p.showService(v, status)
	}
	return p.written(v, receipt.Position, v.path("services", v.id()), "label", "services", "dashboard")
}
