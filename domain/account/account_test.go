package account_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/domaintest"
)

type events = []account.Event

func opened() account.Opened {
	return account.Opened{
		Owner: "usr_1", Name: "Pierre", Kind: account.Individual, Country: "FR", Currency: "EUR",
		Kept: account.Identity{Name: "Pierre", Country: "FR"},
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	open := func(details account.Opened) func(account.Account) (events, error) {
		return func(a account.Account) (events, error) { return a.Open(details) }
	}
	t.Run("has one owner, and the address may wait", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, account.Decider).When(open(opened())).Then(opened()).When(open(opened())).Refused(account.ErrExists)
	})
	t.Run("writes a VAT number one way", func(t *testing.T) {
		t.Parallel()
		typed, want := opened(), opened()
		typed.VATNumber, want.VATNumber, want.Kept.VATNumber = "fr 32 123456789", "FR32123456789", "FR32123456789"
		domaintest.For(t, account.Decider).When(open(typed)).Then(want)
	})
	t.Run("names wrong fields", func(t *testing.T) {
		t.Parallel()
		bad := account.Opened{Kind: "club", Country: "fr", Currency: "EURO", VATNumber: "1234", Address: account.Address{PostalCode: "75002"}}
		domaintest.For(t, account.Decider).When(open(bad)).
			RefusedField("name", "address.line1", "address.city", "owner", "kind", "country", "currency", "vat_number")
	})
}

func TestChangeProfile(t *testing.T) {
	t.Parallel()
	change := func(name, country *string, address *account.Address) func(account.Account) (events, error) {
		return func(a account.Account) (events, error) { return a.ChangeProfile(name, country, address) }
	}
	name, country, nowhere := "Paul", "BE", "ZZ"
	street := account.Address{Line1: "1 rue Haute", PostalCode: "1000", City: "Bruxelles"}
	known := domaintest.For(t, account.Decider).Given(opened())
	known.When(change(&name, nil, nil)).Then(account.ProfileUpdated{Name: "Paul", Country: "FR", Kept: account.Identity{Name: "Paul", Country: "FR"}}).
		When(change(nil, &country, &street)).Then(account.ProfileUpdated{Name: "Paul", Country: "BE", Address: street, Kept: account.Identity{
		Name: "Paul", Line1: "1 rue Haute", PostalCode: "1000", City: "Bruxelles", Country: "BE",
	}}).
		When(change(&name, &country, &street)).ThenNothing()
	known.When(change(nil, &nowhere, nil)).RefusedField("country")
	domaintest.For(t, account.Decider).When(change(&name, nil, nil)).Refused(account.ErrMissing)
}
