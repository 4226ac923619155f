package portal

import "net/http"

func (p *pages) dashboard(v *visit) error {
	if v.page.Staff != nil { // for whom it was not read yet
		if err := p.readBoard(v.r.Context(), v); err != nil {
			return err
		}
	}
	if err := p.follow(v, "dashboard", "", v.board); err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "dashboard", "dashboard", v.title("menu.dashboard"), v.board)
}
