package commands

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
)

// ArchiveContact ends a contact that no domain name has.
type ArchiveContact struct {
	ContactID string `json:"-"`
	// domains are the names that claimed it, by their ids.
	domains map[string]domainname.DomainName
}

// Target is the contact.
func (c ArchiveContact) Target() contact.Target { return contact.Decider.At(c.ContactID) }

// Permission is that of managing contacts.
func (ArchiveContact) Permission() domain.Permission { return delegation.ContactsManage }

// namedDomains is how many of the domain names that have a contact are named
// to who would archive it.
const namedDomains = 10

// Gather looks at the domain names that claimed the contact, until enough of
// them are found to have it.
func (c ArchiveContact) Gather(ctx context.Context, s Streams) (ArchiveContact, error) {
	at, err := Load(ctx, s, c.Target())
	if err != nil {
		return c, err
	}
	c.domains = map[string]domainname.DomainName{}
	using := 0
	for _, id := range slices.Sorted(maps.Keys(at.Claims)) {
		if using == namedDomains {
			break
		}
		d, err := Load(ctx, s, domainname.Decider.At(id))
		if err != nil {
			return c, err
		}
		c.domains[id] = d
		if c.usedBy(d) {
			using++
		}
	}
	return c, nil
}

func (c ArchiveContact) usedBy(d domainname.DomainName) bool {
	return slices.Contains(d.Contacts.IDs(), c.ContactID)
}

// Decide archives the contact. Whoever may not see a domain name that has it
// hears that there is one, and not which.
func (c ArchiveContact) Decide(at contact.Contact, env Env) ([]contact.Event, error) {
	events, err := at.Archive(env.Now, func(id string) (set int, uses bool) {
		d, read := c.domains[id]
		return d.ContactsSet, !read || c.usedBy(d)
	})
	if names := c.names(env); errors.Is(err, contact.ErrInUse) && len(names) > 0 {
		err = contact.ErrInUse.With(fmt.Sprintf("This contact is in use by %s; choose another one there first.", strings.Join(names, ", ")))
	}
	return events, err
}

// names are those of the domain names that have the contact, as far as the
// caller may see them.
func (c ArchiveContact) names(env Env) (names []string) {
	for id, d := range c.domains {
		if c.usedBy(d) && delegation.Can(env.Grants, d.Account, delegation.DomainsRead, delegation.Resource{Kind: domainname.Decider.Category, ID: id}) {
			names = append(names, d.Name)
		}
	}
	slices.Sort(names)
	return names
}
