package domainname

import (
	"cmp"
	"slices"

	"github.com/hostfold/hostfold/domain"
)

// Contacts are a domain name's contacts, by their ids (domain/contact).
type Contacts struct {
	// Owner is the holder of the name.
	Owner   string `json:"owner"`
	Admin   string `json:"admin"`
	Tech    string `json:"tech"`
	Billing string `json:"billing"`
}

// IDs are the contacts, each once, in one order; none before they were set.
func (c Contacts) IDs() []string {
	ids := slices.DeleteFunc([]string{c.Owner, c.Admin, c.Tech, c.Billing}, func(id string) bool { return id == "" })
	slices.Sort(ids)
	return slices.Compact(ids)
}

// ContactsChanged says who a domain name's contacts are from now on.
type ContactsChanged struct {
	Contacts
	// Released are those that the name had and has no more.
	Released []string `json:"released,omitempty"`
}

// EventType is the name on disk.
func (ContactsChanged) EventType() string { return "domainname.contacts_changed.v1" }

// Public are the ids, by which contacts are read.
func (e ContactsChanged) Public() any { return e.Contacts }

// Link is the owner: who may not know of one contact may know of none.
func (e ContactsChanged) Link() (kind, id string) { return "contact", e.Owner }

// Unlinked says that the contacts changed, and no more.
func (ContactsChanged) Unlinked() domain.Public { return contactsHidden{} }

func (e ContactsChanged) apply(d DomainName) DomainName {
	d.Contacts = e.Contacts
	d.ContactsSet++
	return d
}

// contactsHidden is ContactsChanged for who may not know of contacts.
type contactsHidden struct{ ContactsChanged }

// Public says nothing of whom.
func (contactsHidden) Public() any { return struct{}{} }

// Full are the contacts with the owner in the place of those left out.
func (c Contacts) Full() Contacts {
	return Contacts{
		Owner: c.Owner, Admin: cmp.Or(c.Admin, c.Owner), Tech: cmp.Or(c.Tech, c.Owner), Billing: cmp.Or(c.Billing, c.Owner),
	}
}

// SetContacts makes contacts the name's. The caller has claimed each that the
// name does not have yet.
func (d DomainName) SetContacts(to Contacts) ([]Event, error) {
	if d.Name == "" {
		return nil, domain.Missing("domain")
	}
	if to.Owner == "" {
		return nil, domain.Invalid("owner", "must be a contact")
	}
	to = to.Full()
	if to == d.Contacts {
		return nil, nil
	}
	kept := to.IDs()
	released := slices.DeleteFunc(d.Contacts.IDs(), func(id string) bool { return slices.Contains(kept, id) })
	if len(released) == 0 {
		released = nil
	}
	return []Event{ContactsChanged{Contacts: to, Released: released}}, nil
}
