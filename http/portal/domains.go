package portal

import (
	"net/http"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/projections"
)

func (p *pages) domains(v *visit) error {
	list, err := p.Reader.DomainNames(v.r.Context(), v.caller.Grants, v.account, v.from())
	if err != nil {
		return err
	}
	if err := p.followList(v, "domains", list); err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "domains", "domains", v.title("menu.domains"), listed(v, list))
}

// domainPage is what the page of one domain name shows.
type domainPage struct {
	Domain projections.DomainNameRow
	Roles  []domainRole
	// MayChoose is true for who may set the contacts, Choices are those to
	// choose from.
	MayChoose bool
	Choices   []projections.ContactRow
}

// domainRole is one of a domain name's contacts.
type domainRole struct {
	Name, Label, Hint string
	// Chosen is the contact that the form begins with, "" for the owner.
	Chosen string
	// Contact is who it is, nil before the contacts were set.
	Contact *projections.ContactRow
}

func (p *pages) domain(v *visit) error { return p.showDomain(v, http.StatusOK) }

func (p *pages) showDomain(v *visit, status int) error {
	row, err := p.Reader.DomainName(v.r.Context(), v.caller.Grants, v.account, v.r.PathValue("name"))
	if err != nil {
		return err
	}
	body := domainPage{Domain: row}
	if delegation.SeesContacts(v.caller.Grants, v.account) {
		var has domainname.Contacts
		if row.Contacts != nil {
			has = *row.Contacts
		}
		if body.Choices, err = p.Reader.ContactsToChoose(v.r.Context(), v.caller.Grants, v.account, has.IDs()...); err != nil {
			return err
		}
		body.Roles = v.domainRoles(has, body.Choices)
		body.MayChoose = v.page.May.Contacts && v.can(delegation.DomainsManage, "domainname", row.ID)
	}
	return p.show(v, status, "domain", "domains", row.Name, body)
}

// domainRoles are the contacts that a domain name has.
func (v *visit) domainRoles(has domainname.Contacts, known []projections.ContactRow) []domainRole {
	roles := []domainRole{{Name: "owner", Chosen: has.Owner}, {Name: "admin", Chosen: has.Admin}, {Name: "tech", Chosen: has.Tech}, {Name: "billing", Chosen: has.Billing}}
	for i := range roles {
		r := &roles[i]
		r.Label, r.Hint = v.title("domain.contact."+r.Name), v.title("domain.contact."+r.Name+".hint")
		for j := range known {
			if known[j].ID == r.Chosen {
				r.Contact = &known[j]
			}
		}
		if r.Name != "owner" && r.Chosen == has.Owner {
			r.Chosen = ""
		}
	}
	return roles
}

func (p *pages) setDomainContacts(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.SetDomainContacts{
		Domain: v.r.PathValue("name"), Owner: in.value("owner"), Admin: in.value("admin"), Tech: in.value("tech"), Billing: in.value("billing"),
	}
	call, err := p.call(v, in, ask)
	if err != nil {
		return err
	}
	receipt, err := p.Dispatcher.SetDomainContacts(v.r.Context(), call, ask)
	if err != nil {
		status, err := p.refused(v, in, err, "owner", "admin", "tech", "billing")
		if err != nil {
			return err
		}
		return p.showDomain(v, status)
	}
	return p.written(v, receipt.Position, v.path("domains", v.r.PathValue("name")), "domain_contacts", "domain_names", "contacts")
}
