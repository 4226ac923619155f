// Package domainname holds the facts about an internet name that an account
// has: here that it is registered, since when and until when.
//
// That one name has one live stream is the part of domain/reservation. The
// package takes names in ASCII (punycode); turning what people type into that
// is the command's part.
package domainname

import (
	"strings"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// Event is a fact about a domain name.
type Event interface {
	domain.Event
	apply(DomainName) DomainName
}

// Target is one domain name of one account.
type Target = domain.Target[DomainName, Event]

// Decider folds a domain name's facts.
var Decider = domain.Decider[DomainName, Event]{
	Category: "domainname",
	Evolve:   func(d DomainName, e Event) DomainName { return e.apply(d) },
	Types: []domain.Type{
		domain.PublicTypeOf[Registered](delegation.DomainsRead),
		domain.PublicTypeOf[ContactsChanged](delegation.DomainsRead),
	},
}

// Status is where a domain name stands.
type Status string

// StatusActive is a registered name.
const StatusActive Status = "active"

// DomainName is the state of a domain name.
type DomainName struct {
	Account      string
	Name         string
	Status       Status
	RegisteredOn domain.Date
	ExpiresOn    domain.Date
	// Contacts are whom the registry is told, ContactsSet how often they were set.
	Contacts    Contacts
	ContactsSet int
}

// OwnerAccount is the account that has the name.
func (d DomainName) OwnerAccount() string { return d.Account }

// Errors of this aggregate.
var (
	ErrExists = domain.Conflict("domain_exists", "This domain name is recorded already.")
	// ErrTaken says that the name is recorded in another stream, of this
	// account or of another.
	ErrTaken = domain.Conflict("domain_taken", "This domain name is recorded already; each name has one holder.")
)

// Registered says that a registry knows the name as the account's.
type Registered struct {
	Account string `json:"account"`
	// Name is in ASCII, lower case, without a final point. Names often are
	// their holders' own.
	Name         string      `json:"name" personal:"account,profile"`
	RegisteredOn domain.Date `json:"registered_on"`
	ExpiresOn    domain.Date `json:"expires_on"`
}

// EventType is the name on disk.
func (Registered) EventType() string { return "domainname.registered.v1" }

// Public is the name as its account sees it.
func (e Registered) Public() any {
	return struct {
		Name         string      `json:"name"`
		Status       Status      `json:"status"`
		RegisteredOn domain.Date `json:"registered_on"`
		ExpiresOn    domain.Date `json:"expires_on"`
	}{e.Name, StatusActive, e.RegisteredOn, e.ExpiresOn}
}

func (e Registered) apply(DomainName) DomainName {
	return DomainName{Account: e.Account, Name: e.Name, Status: StatusActive, RegisteredOn: e.RegisteredOn, ExpiresOn: e.ExpiresOn}
}

// Record notes a name that is registered already.
func (d DomainName) Record(account, name string, registeredOn, expiresOn domain.Date) ([]Event, error) {
	if d.Name != "" {
		return nil, ErrExists
	}
	var c domain.Check
	c.That(account != "", "account", "must not be empty")
	c.That(IsName(name), "name", "must be a domain name such as example.fr")
	c.That(registeredOn.Valid(), "registered_on", "must be a date")
	c.That(expiresOn.Valid(), "expires_on", "must be a date")
	c.That(registeredOn.Before(expiresOn), "expires_on", "must be after registered_on")
	if err := c.Err(); err != nil {
		return nil, err
	}
	return []Event{Registered{Account: account, Name: name, RegisteredOn: registeredOn, ExpiresOn: expiresOn}}, nil
}

// IsName reports whether name is a registrable name in ASCII: at least two
// labels of lower-case letters, digits and inner hyphens, the last one not all
// digits.
func IsName(name string) bool {
	labels := strings.Split(name, ".")
	if len(name) > 253 || len(labels) < 2 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}
