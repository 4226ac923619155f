package account

import "github.com/hostfold/hostfold/domain"

// ProfileUpdated says who the account is from now on. Issued invoices keep
// what they said.
type ProfileUpdated struct {
	Name    string  `json:"name" personal:"self,profile"`
	Country string  `json:"country"`
	Address Address `json:"address,omitzero"`
	// Kept is left out of events of version 1.
	Kept Identity `json:"kept,omitzero"`
}

// EventType is the name on disk.
func (ProfileUpdated) EventType() string { return "account.profile_updated.v2" }

// Public leaves the postal address to the profile's readers.
func (e ProfileUpdated) Public() any { return publicProfile{Name: e.Name, Country: e.Country} }

func (e ProfileUpdated) apply(a Account) Account {
	a.Name, a.Country, a.Address = e.Name, e.Country, e.Address
	return a
}

// ChangeProfile changes what is given; nil leaves a field as it is.
func (a Account) ChangeProfile(name, country *string, address *Address) ([]Event, error) {
	if err := a.MayChange(); err != nil {
		return nil, err
	}
	var c domain.Check
	before := ProfileUpdated{Name: a.Name, Country: a.Country, Address: a.Address}
	e := before
	if name != nil {
		e.Name = c.Line("name", *name, 200)
	}
	if country != nil {
		e.Country = *country
		c.Country("country", e.Country)
	}
	if address != nil {
		e.Address = checkAddress(&c, *address)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if e == before {
		return nil, nil
	}
	e.Kept = Identity{Name: e.Name, VATNumber: a.VATNumber, Country: e.Country}.at(e.Address)
	return []Event{e}, nil
}
