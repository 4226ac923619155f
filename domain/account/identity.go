package account

// Identity is who an account is, or whom its invoices are made out to, under a
// key that outlives the profile's: the law wants the civil identity of customers
// known for years after the contract's end (décret 2021-1362). Whatever says it
// keeps a copy; nothing of the portal reads it. It is the account's, whoever owns
// the account.
type Identity struct {
	Name          string `json:"name" personal:"self,identity"`
	CompanyNumber string `json:"company_number,omitempty" personal:"self,identity"`
	VATNumber     string `json:"vat_number,omitempty" personal:"self,identity"`
	Line1         string `json:"line1,omitempty" personal:"self,identity"`
	Line2         string `json:"line2,omitempty" personal:"self,identity"`
	PostalCode    string `json:"postal_code,omitempty" personal:"self,identity"`
	City          string `json:"city,omitempty" personal:"self,identity"`
	Country       string `json:"country"`
	Email         string `json:"email,omitempty" personal:"self,identity"`
}

// at is the identity with an address.
func (i Identity) at(a Address) Identity {
	i.Line1, i.Line2, i.PostalCode, i.City = a.Line1, a.Line2, a.PostalCode, a.City
	return i
}
