package seller_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/seller"
)

func TestConfigure(t *testing.T) {
	t.Parallel()
	given := seller.Details{
		Name: "Hébergement Lyon", LegalForm: "SAS", SIREN: "123 456 789", VATNumber: "fr32 123456789",
		Address: seller.Address{Line1: "2 rue du Port", PostalCode: "69001", City: "Lyon", Country: "FR"},
	}
	configure := func(d seller.Details) func(seller.Seller) ([]seller.Event, error) {
		return func(s seller.Seller) ([]seller.Event, error) { return s.Configure(d) }
	}
	want := given
	want.SIREN, want.VATNumber = "123456789", "FR32123456789"
	want.Zone, want.PaymentDays, want.RecoveryCharge = "Europe/Paris", 30, money.EUR(4000)
	want.LatePenalty, want.EarlyDiscount = "Taux de refinancement de la BCE majoré de 10 points", "Pas d'escompte pour paiement anticipé"

	t.Run("has the usual terms where none are given", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, seller.Decider).When(configure(given)).Then(seller.Configured{Details: want}).
			When(configure(given)).ThenNothing()
	})
	t.Run("names what the law wants", func(t *testing.T) {
		t.Parallel()
		bad := seller.Details{SIREN: "12345678", SIRET: "99999999900012", Zone: "Paris", PaymentDays: 90}
		domaintest.For(t, seller.Decider).When(configure(bad)).RefusedField("name", "legal_form", "address.line1", "address.postal_code",
			"address.city", "address.country", "siren", "siret", "vat_number", "payment_days", "zone")
	})
}
