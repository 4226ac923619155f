package account_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/domaintest"
)

func billed() account.BillingIdentity {
	return account.BillingIdentity{
		Kind: account.Company, Name: "Lannoy SARL", CompanyNumber: "732829320", VATNumber: "FR44732829320", Country: "FR",
		Address: account.Address{Line1: "1 rue de la Paix", PostalCode: "75002", City: "Paris"}, Email: "compta@example.com",
	}
}

// billedTo is the event, with the copy that is kept.
func billedTo(to account.BillingIdentity) account.BillingIdentityChanged {
	return account.BillingIdentityChanged{BillingIdentity: to, Kept: account.Identity{
		Name: "Lannoy SARL", CompanyNumber: to.CompanyNumber, VATNumber: "FR44732829320",
		Line1: "1 rue de la Paix", PostalCode: "75002", City: "Paris", Country: "FR", Email: "compta@example.com",
	}}
}

func setBilling(to account.BillingIdentity) func(account.Account) (events, error) {
	return func(a account.Account) (events, error) { return a.SetBillingIdentity(to) }
}

func TestSetBillingIdentity(t *testing.T) {
	t.Parallel()
	known := domaintest.For(t, account.Decider).Given(opened())
	t.Run("is whom invoices are made out to, the profile before", func(t *testing.T) {
		t.Parallel()
		if to := known.State().BillTo(); to.Name != "Pierre" || to.Kind != account.Individual || to.Country != "FR" {
			t.Errorf("before, invoices are made out to %+v", to)
		}
		after := known.When(setBilling(billed())).Then(billedTo(billed()))
		if to := after.State().BillTo(); to != billed() {
			t.Errorf("after, invoices are made out to %+v", to)
		}
		after.When(setBilling(billed())).ThenNothing()
	})
	t.Run("writes numbers one way", func(t *testing.T) {
		t.Parallel()
		typed := billed()
		typed.CompanyNumber, typed.VATNumber, typed.Name = "732 829 320 00074", "fr 44 732 829 320", " Lannoy SARL "
		want := billed()
		want.CompanyNumber = "73282932000074"
		known.When(setBilling(typed)).Then(billedTo(want))
	})
	t.Run("gives a private person no numbers", func(t *testing.T) {
		t.Parallel()
		private := billed()
		private.Kind = account.Individual
		known.When(setBilling(private)).RefusedField("company_number", "vat_number")
	})
	t.Run("names wrong fields", func(t *testing.T) {
		t.Parallel()
		known.When(setBilling(account.BillingIdentity{Kind: "club", Country: "FR", Email: "Zoé <z@example.com>"})).
			RefusedField("kind", "name", "address.line1", "address.city", "address.postal_code", "email")
	})
	t.Run("needs an account", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, account.Decider).When(setBilling(billed())).Refused(account.ErrMissing)
	})
}

func TestCompanyAndVATNumbersAreCheckedForSlips(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		country, company, vat string
		wrong                 []string
	}{
		{"FR", "", "", nil},
		{"FR", "732829320", "", nil},
		{"FR", "732829321", "", []string{"company_number"}},
		{"FR", "73282932000074", "", nil},
		{"FR", "73282932000075", "", []string{"company_number"}},
		{"FR", "35600000000048", "", nil}, // La Poste's own
		{"FR", "35600000049837", "", nil}, // one of its offices: the digits sum to a multiple of five
		{"FR", "35600000049838", "", []string{"company_number"}},
		{"RE", "12345", "", []string{"company_number"}},
		{"FR", "", "FR44732829320", nil},
		{"FR", "", "FR45732829320", []string{"vat_number"}},
		{"FR", "552100554", "FR44732829320", []string{"vat_number"}}, // another company's
		{"FR", "", "DE123456789", []string{"vat_number"}},
		{"FR", "", "FR", []string{"vat_number"}},
		{"DE", "HRB 12345", "DE123456789", nil},
		{"DE", "", "DE12345678", []string{"vat_number"}},
		{"GR", "", "EL123456789", nil},
		{"GR", "", "GR123456789", []string{"vat_number"}},
		{"NL", "", "NL123456789B01", nil},
		{"NL", "", "NL12345678901", []string{"vat_number"}},
		{"GB", "", "XI123456789", nil},
		{"IE", "", "IE1A23456W", nil},
		{"MC", "", "FR44732829320", nil},
		{"CH", "", "CHE-123.456.789 MWST", nil},
		{"US", "<script>", "", []string{"company_number"}},
	} {
		to := billed()
		to.Country, to.CompanyNumber, to.VATNumber = c.country, c.company, c.vat
		if c.country == "RE" {
			to.Address.PostalCode = "97400"
		}
		known := domaintest.For(t, account.Decider).Given(opened())
		if _, err := known.State().SetBillingIdentity(to); c.wrong == nil && err != nil {
			t.Errorf("%+v: %v", c, err)
		} else if c.wrong != nil {
			known.When(setBilling(to)).RefusedField(c.wrong...)
		}
	}
}
