package portal

import "net/http"

func (p *pages) dashboard(v *visit) error {
	if err := p.follow(v, "dashboard", "", v.board); err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "dashboard", "dashboard", v.title("menu.dashboard"), v.board)
}
