package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/account"
)

// billingFields are the fields of the billing identity.
var billingFields = []string{
	"kind", "name", "company_number", "vat_number", "country", "email",
	"address.line1", "address.line2", "address.postal_code", "address.city",
}

func (p *pages) billing(v *visit) error { return p.showBilling(v, http.StatusOK) }

func (p *pages) showBilling(v *visit, status int) error {
	to, _, err := p.Reader.BillTo(v.r.Context(), v.caller.Grants, v.account)
	if err != nil {
		return err
	}
	return p.show(v, status, "billing", "account", v.title("billing.title"), to)
}

func (p *pages) updateBilling(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	to := account.BillingIdentity{
		Kind: account.Kind(in.value("kind")), Name: in.value("name"), Country: in.value("country"), Email: in.value("email"),
		Address: account.Address{
			Line1: in.value("address.line1"), Line2: in.value("address.line2"),
			PostalCode: in.value("address.postal_code"), City: in.value("address.city"),
		},
	}
	if to.Kind != account.Individual { // the form hides them from who is one
		to.CompanyNumber, to.VATNumber = in.value("company_number"), in.value("vat_number")
	}
	done, err := execute(p, v, in, commands.SetBillingIdentity{AccountID: v.account, BillingIdentity: to})
	if err != nil {
		status, err := p.refused(v, in, err, billingFields...)
		if err != nil {
			return err
		}
		return p.showBilling(v, status)
	}
	return p.written(v, done.Position, v.path("billing"), "billing", "accounts")
}
