package account

import (
	"strings"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
)

// Opened says that a user opened an account and owns it.
type Opened struct {
	Owner     string  `json:"owner"`
	Name      string  `json:"name" personal:"self,profile"`
	Kind      Kind    `json:"kind"`
	Country   string  `json:"country"`
	Currency  string  `json:"currency"`
	VATNumber string  `json:"vat_number,omitempty" personal:"self,profile"`
	Address   Address `json:"address,omitzero"`
	// Kept is left out of events of version 1.
	Kept Identity `json:"kept,omitzero"`
}

// EventType is the name on disk.
func (Opened) EventType() string { return "account.opened.v2" }

// Public leaves the postal address and the VAT number to the profile's readers.
func (e Opened) Public() any {
	return publicProfile{Name: e.Name, Kind: e.Kind, Country: e.Country, Currency: e.Currency}
}

func (e Opened) apply(Account) Account {
	return Account{
		Owner: e.Owner, Name: e.Name, Kind: e.Kind, Country: e.Country, Currency: e.Currency,
		VATNumber: e.VATNumber, Address: e.Address, Communication: firstCommunication, Status: StatusOpen,
	}
}

// Open makes the account; details.Owner becomes its owner. The address may be
// given later, before the first invoice.
func (a Account) Open(details Opened) ([]Event, error) {
	if a.Exists() {
		return nil, ErrExists
	}
	var c domain.Check
	details.Name = c.Line("name", details.Name, 200)
	details.Address = checkAddress(&c, details.Address)
	details.VATNumber = strings.ToUpper(strings.ReplaceAll(details.VATNumber, " ", ""))
	c.That(details.Owner != "", "owner", "must be a user")
	c.That(details.Kind == Individual || details.Kind == Company, "kind", "must be individual or company")
	c.Country("country", details.Country)
	c.That(money.IsCurrency(details.Currency), "currency", "must be an ISO 4217 code such as EUR")
	c.That(details.VATNumber == "" || isVATNumber(details.VATNumber), "vat_number", "must be a VAT number such as FR32123456789")
	if err := c.Err(); err != nil {
		return nil, err
	}
	details.Kept = Identity{Name: details.Name, VATNumber: details.VATNumber, Country: details.Country}.at(details.Address)
	return []Event{details}, nil
}

// publicProfile is what the event feed shows of an account.
type publicProfile struct {
	Name     string `json:"name"`
	Kind     Kind   `json:"kind,omitempty"`
	Country  string `json:"country"`
	Currency string `json:"currency,omitempty"`
}

// isVATNumber checks the form alone: a country or zone of two letters, then 2
// to 13 letters and digits.
func isVATNumber(s string) bool {
	if len(s) < 4 || len(s) > 15 {
		return false
	}
	letter := func(b byte) bool { return 'A' <= b && b <= 'Z' }
	for i := range len(s) {
		if digit := '0' <= s[i] && s[i] <= '9'; !letter(s[i]) && (!digit || i < 2) {
			return false
		}
	}
	return true
}
