package account

import (
	"net/mail"
	"strings"

	"github.com/hostfold/hostfold/domain"
)

// BillingIdentity is who invoices are made out to. An invoice that is issued
// keeps what it says.
type BillingIdentity struct {
	Kind Kind `json:"kind" enum:"individual,company"`
	// Name is the legal name.
	Name string `json:"name" personal:"self,profile"`
	// CompanyNumber is a company's number in its country's register: the SIREN
	// or SIRET in France.
	CompanyNumber string `json:"company_number,omitempty" personal:"self,profile"`
	VATNumber     string `json:"vat_number,omitempty" personal:"self,profile"`
	Country       string `json:"country"`
	// Address is within Country.
	Address Address `json:"address"`
	// Email gets a copy of what the owner is mailed of invoices, "" nobody.
	Email string `json:"email,omitempty" personal:"self,profile"`
}

// BillingIdentityChanged says who invoices are made out to from now on.
type BillingIdentityChanged struct {
	BillingIdentity
	// Kept is left out of events of version 1.
	Kept Identity `json:"kept,omitzero"`
}

// EventType is the name on disk.
func (BillingIdentityChanged) EventType() string { return "account.billing_identity_changed.v2" }

// Public leaves addresses and numbers to the profile's readers.
func (e BillingIdentityChanged) Public() any {
	return publicProfile{Name: e.Name, Kind: e.Kind, Country: e.Country}
}

func (e BillingIdentityChanged) apply(a Account) Account {
	a.Billing = e.BillingIdentity
	return a
}

// SetBillingIdentity says whom invoices are made out to, as a whole.
func (a Account) SetBillingIdentity(to BillingIdentity) ([]Event, error) {
	if err := a.MayChange(); err != nil {
		return nil, err
	}
	var c domain.Check
	c.That(to.Kind == Individual || to.Kind == Company, "kind", "must be individual or company")
	to.Name = c.Line("name", to.Name, 200)
	c.Country("country", to.Country)
	to.Address = Address{
		Line1:      c.Line("address.line1", to.Address.Line1, 200),
		Line2:      c.OptionalLine("address.line2", to.Address.Line2, 200),
		PostalCode: c.OptionalLine("address.postal_code", to.Address.PostalCode, 20),
		City:       c.Line("address.city", to.Address.City, 100),
	}
	french := isFrench(to.Country)
	c.That(!french || digits(to.Address.PostalCode, 5), "address.postal_code", "must be a French postal code of five digits")
	to.CompanyNumber = compact(to.CompanyNumber)
	to.VATNumber = compact(to.VATNumber)
	if to.Kind == Individual {
		c.Because(to.CompanyNumber == "", "company_number", "company_only", "must be empty: only a company has one")
		c.Because(to.VATNumber == "", "vat_number", "company_only", "must be empty: only a company has one")
	}
	c.That(len(to.CompanyNumber) <= 30, "company_number", "must have at most 30 characters")
	c.Because(to.CompanyNumber == "" || !french || isSIREN(to.CompanyNumber) || isSIRET(to.CompanyNumber),
		"company_number", "siren", "must be a SIREN of 9 digits or a SIRET of 14; check its digits")
	c.That(to.CompanyNumber == "" || isCode(to.CompanyNumber), "company_number", "must be letters, digits, hyphens and dots")
	if to.VATNumber != "" {
		c.That(isVATOf(to.Country, to.VATNumber), "vat_number", "must be a VAT number of the country; check its characters")
		c.Because(!french || to.CompanyNumber == "" || strings.HasPrefix(to.CompanyNumber, to.VATNumber[min(4, len(to.VATNumber)):]),
			"vat_number", "other_siren", "must end with the SIREN of the company number")
	}
	to.Email = c.OptionalLine("email", to.Email, 254)
	parsed, err := mail.ParseAddress(to.Email)
	c.That(to.Email == "" || err == nil && parsed.Name == "" && parsed.Address == to.Email && strings.Contains(to.Email, "."),
		"email", "must be an address such as name@example.com")
	if err := c.Err(); err != nil {
		return nil, err
	}
	if to == a.Billing {
		return nil, nil
	}
	kept := Identity{Name: to.Name, CompanyNumber: to.CompanyNumber, VATNumber: to.VATNumber, Country: to.Country, Email: to.Email}
	return []Event{BillingIdentityChanged{BillingIdentity: to, Kept: kept.at(to.Address)}}, nil
}

// BillTo is who invoices are made out to: the billing identity, or the profile
// as long as none was given.
func (a Account) BillTo() BillingIdentity {
	if a.Billing.Kind != "" {
		return a.Billing
	}
	return BillingIdentity{Kind: a.Kind, Name: a.Name, VATNumber: a.VATNumber, Country: a.Country, Address: a.Address}
}

// compact is a number without the spaces that people group it by.
func compact(s string) string {
	return strings.ToUpper(strings.Join(strings.Fields(s), ""))
}

func isCode(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '/'
	})
}
