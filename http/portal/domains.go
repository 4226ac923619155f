package portal

import "net/http"

func (p *pages) domains(v *visit) error {
	list, err := p.Reader.DomainNames(v.r.Context(), v.caller.Grants, v.account, v.from())
	if err != nil {
		return err
	}
	if err := p.followList(v, "domains", list); err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "domains", "domains", v.title("menu.domains"), listed(v, list))
}
