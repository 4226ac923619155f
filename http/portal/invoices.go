package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/projections"
)

func (p *pages) invoices(v *visit) error {
	list, err := p.Reader.Invoices(v.r.Context(), v.caller.Grants, v.account, v.query("status"), v.from())
	if err != nil {
		return err
	}
	if err := p.followList(v, "invoices", list); err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "invoices", "invoices", v.title("menu.billing"), listed(v, list))
}

// invoicePage is what the page of one invoice shows.
type invoicePage struct{ Invoice projections.InvoiceRow }

func (p *pages) invoice(v *visit) error {
	row, err := p.Reader.Invoice(v.r.Context(), v.caller.Grants, v.account, v.id())
	if err != nil {
		return err
	}
	if err := p.follow(v, "invoice", row.ID, row); err != nil {
		return err
	}
	title := v.title("invoice.title", "Number", row.Number)
	if row.Number == "" {
		title = v.title("invoice.word") // a draft, which staff see
	}
	return p.show(v, http.StatusOK, "invoice", "invoices", title, invoicePage{Invoice: row})
}
