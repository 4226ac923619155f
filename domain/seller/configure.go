package seller

import (
	"strings"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
)

// Configured says who sells and on which terms from now on. Invoices issued
// before keep what they said.
type Configured struct {
	Details
}

// EventType is the name on disk.
func (Configured) EventType() string { return "seller.configured.v1" }

func (e Configured) apply(Seller) Seller { return Seller(e) }

// Configure sets the seller, with the usual terms where none are given.
func (s Seller) Configure(d Details) ([]Event, error) {
	d = d.withDefaults()
	if err := d.check(); err != nil {
		return nil, err
	}
	if d == s.Details {
		return nil, nil
	}
	return []Event{Configured{Details: d}}, nil
}

func (d Details) withDefaults() Details {
	if d.Zone == "" {
		d.Zone = DefaultZone
	}
	if d.PaymentDays == 0 {
		d.PaymentDays = DefaultPaymentDays
	}
	if d.RecoveryCharge.Currency() == "" {
		d.RecoveryCharge = money.EUR(4000) // C. com. D441-5
	}
	if d.LatePenalty == "" {
		d.LatePenalty = "Taux de refinancement de la BCE majoré de 10 points" // C. com. L441-10
	}
	if d.EarlyDiscount == "" {
		d.EarlyDiscount = "Pas d'escompte pour paiement anticipé"
	}
	d.SIREN, d.SIRET = compact(d.SIREN), compact(d.SIRET)
	d.VATNumber, d.IBAN, d.BIC = compact(d.VATNumber), compact(d.IBAN), compact(d.BIC)
	return d
}

func (d Details) check() error {
	var c domain.Check
	c.Line("name", d.Name, 200)
	c.Line("legal_form", d.LegalForm, 50)
	c.Line("address.line1", d.Address.Line1, 200)
	c.OptionalLine("address.line2", d.Address.Line2, 200)
	c.Line("address.postal_code", d.Address.PostalCode, 20)
	c.Line("address.city", d.Address.City, 100)
	c.Country("address.country", d.Address.Country)
	c.That(len(d.SIREN) == 9 && digits(d.SIREN), "siren", "must be nine digits")
	c.That(d.SIRET == "" || len(d.SIRET) == 14 && digits(d.SIRET) && strings.HasPrefix(d.SIRET, d.SIREN), "siret", "must be the SIREN and five digits")
	c.OptionalLine("rcs", d.RCS, 100)
	c.Line("vat_number", d.VATNumber, 20)
	c.OptionalLine("email", d.Email, 254)
	c.OptionalLine("phone", d.Phone, 30)
	c.OptionalLine("iban", d.IBAN, 34)
	c.OptionalLine("bic", d.BIC, 11)
	c.Line("late_penalty", d.LatePenalty, 300)
	c.Line("early_discount", d.EarlyDiscount, 300)
	c.That(d.PaymentDays >= 0 && d.PaymentDays <= 60, "payment_days", "must be between 0 and 60")
	c.That(d.ShareCapital.Sign() >= 0, "share_capital", "must not be negative")
	c.That(d.RecoveryCharge.Sign() >= 0, "recovery_charge", "must not be negative")
	_, err := domain.In(d.Zone, time.Time{})
	c.That(err == nil, "zone", "must be a time zone such as Europe/Paris")
	return c.Err()
}

func compact(s string) string { return strings.ToUpper(strings.ReplaceAll(s, " ", "")) }

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
