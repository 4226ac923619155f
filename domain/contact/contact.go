// Package contact holds the rules of a contact: the person or organisation
// that a registry is told as a domain name's owner or as who looks after it.
//
// A contact belongs to one account and is a subject of its own: its data have
// keys of their own, so that they can be erased whoever the account's owner
// is. Which contacts a domain name has is said in domain/domainname; this
// package decides that one which a name has is not archived (claim.go).
package contact

import (
	"strings"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
)

// Event is a fact about a contact.
type Event interface {
	domain.Event
	apply(Contact) Contact
}

// Target is one contact.
type Target = domain.Target[Contact, Event]

// Decider folds a contact's facts.
var Decider = domain.Decider[Contact, Event]{
	Category: "contact",
	Evolve:   func(c Contact, e Event) Contact { return e.apply(c) },
	Types: []domain.Type{
		domain.PublicTypeOf[Created](delegation.ContactsManage),
		domain.PublicTypeOf[Amended](delegation.ContactsManage),
		domain.PublicTypeOf[EmailVerified](delegation.ContactsManage),
		domain.PublicTypeOf[Archived](delegation.ContactsManage),
		domain.TypeOf[Claimed](),
	},
}

// Kind tells people from organisations; registries treat them differently.
type Kind string

// The kinds of contact.
const (
	Person       Kind = "person"
	Organisation Kind = "organisation"
)

// Status is where a contact stands.
type Status string

// The states of a contact; "" is one that does not exist.
const (
	StatusNone     Status = ""
	StatusActive   Status = "active"
	StatusArchived Status = "archived"
)

// Details are who the contact is and how it is reached: what registries ask
// for (RFC 5733), and what NIS2 art. 28 wants known of a domain name's holder.
type Details struct {
	Kind Kind `json:"kind"`
	// Name is the person's, in an organisation of whoever speaks for it.
	Name         string `json:"name" personal:"self,profile"`
	Organisation string `json:"organisation,omitempty" personal:"self,profile"`
	Email        string `json:"email" personal:"self,profile"`
	// Phone is in the form of E.164: +33612345678.
	Phone   string  `json:"phone" personal:"self,profile"`
	Address Address `json:"address"`
}

// Address is a postal address.
type Address struct {
	Line1      string `json:"line1" personal:"self,profile"`
	Line2      string `json:"line2,omitempty" personal:"self,profile"`
	PostalCode string `json:"postal_code,omitempty" personal:"self,profile"`
	City       string `json:"city" personal:"self,profile"`
	// Region is the state or province, where addresses have one.
	Region string `json:"region,omitempty" personal:"self,profile"`
	// Country is an ISO 3166 code.
	Country string `json:"country"`
}

// Contact is the state of a contact.
type Contact struct {
	Account  string
	Status   Status
	Details  Details
	Verified bool
	// Claims are the last ones of domain names, by their ids.
	Claims map[string]Claim
	// Kept is true when the present details are kept under the key of purpose
	// identity, too.
	Kept bool
}

// OwnerAccount is the account that has the contact.
func (c Contact) OwnerAccount() string { return c.Account }

// Errors of this aggregate.
var (
	ErrExists      = domain.Conflict("contact_exists", "This contact exists already.")
	ErrMissing     = domain.Missing("contact")
	ErrArchived    = domain.Conflict("contact_archived", "This contact is archived; make another one.")
	ErrInUse       = domain.Conflict("contact_in_use", "A domain has this contact; choose another one there first.")
	ErrNotVerified = domain.Conflict("contact_not_verified", "The owner's e-mail address is not verified yet: the link that was mailed to it has to be followed first.")
)

// live refuses a contact that is not there any more.
func (c Contact) live() error {
	switch c.Status {
	case StatusNone:
		return ErrMissing
	case StatusArchived:
		return ErrArchived
	case StatusActive:
	}
	return nil
}

// check notes what is wrong with the details, and answers them in one form.
func (d Details) check() (Details, error) {
	var c domain.Check
	c.That(d.Kind == Person || d.Kind == Organisation, "kind", "must be person or organisation")
	d.Name = c.Line("name", d.Name, 200)
	if d.Kind == Organisation {
		d.Organisation = c.Line("organisation", d.Organisation, 200)
	} else {
		d.Organisation = strings.TrimSpace(d.Organisation)
		c.That(d.Organisation == "", "organisation", "must be empty for a person")
	}
	email, err := user.CheckEmail(d.Email)
	c.That(err == nil, "email", "must be an address such as name@example.com")
	d.Email = email
	d.Phone = plainPhone(d.Phone)
	c.That(isPhone(d.Phone), "phone", "must be a number with its country's code such as +33612345678")
	d.Address.Line1 = c.Line("address.line1", d.Address.Line1, 200)
	d.Address.Line2 = c.OptionalLine("address.line2", d.Address.Line2, 200)
	d.Address.PostalCode = c.OptionalLine("address.postal_code", d.Address.PostalCode, 16)
	d.Address.City = c.Line("address.city", d.Address.City, 100)
	d.Address.Region = c.OptionalLine("address.region", d.Address.Region, 100)
	c.Country("address.country", d.Address.Country)
	return d, c.Err()
}

// plainPhone is a number as people write it without what they put between the
// digits: "+33 (0)6 12.34-56 78" is "+33612345678".
func plainPhone(typed string) string {
	typed = strings.ReplaceAll(typed, "(0)", "")
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .-()/\u00a0\u202f", r) {
			return -1
		}
		return r
	}, typed)
}

// isPhone checks the form of E.164: a plus, then 7 to 15 digits of which the
// first is not 0.
func isPhone(s string) bool {
	digits, plus := strings.CutPrefix(s, "+")
	return plus && len(digits) >= 7 && len(digits) <= 15 && digits[0] != '0' && strings.Trim(digits, "0123456789") == ""
}
