package portal

import (
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
)

// all is the permission that stands for every one.
const all domain.Permission = "*"

// permissionGroups are what can be handed on, as the forms show it.
var permissionGroups = []permissionGroup{
	{"services", []domain.Permission{delegation.ServicesRead, delegation.ServicesManage, delegation.ServicesSSO, delegation.ServicesPassword, delegation.ServicesCancel, delegation.OrdersPlace}},
	{"domains", []domain.Permission{delegation.DomainsRead, delegation.DomainsManage, delegation.DNSManage, delegation.DNSSECManage}},
	{"certificates", []domain.Permission{delegation.CertificatesRead, delegation.CertificatesManage}},
	{"billing", []domain.Permission{
		delegation.InvoicesRead, delegation.InvoicesPay, delegation.QuotesRead, delegation.QuotesAccept, delegation.PaymentMethods,
		delegation.WalletRead, delegation.WalletTopUp, delegation.WalletSpend,
	}},
	{"support", []domain.Permission{delegation.TicketsRead, delegation.TicketsWrite}},
	{"account", []domain.Permission{delegation.ProfileRead, delegation.ProfileWrite, delegation.ContactsManage, delegation.UsersManage, delegation.EmailsRead, delegation.NotificationsRead}},
}

type permissionGroup struct {
	Name  string
	Items []domain.Permission
}

// choice is a box that can be ticked.
type choice struct {
	Value, Label string
	Ticked       bool
}

// choices are boxes under a head.
type choices struct {
	Name  string
	Boxes []choice
}

// termsForm is the part of a form that says what may be done, with what, and
// until when.
type termsForm struct {
	// All is true for every permission, Everything for all of the account.
	All, Everything bool
	Permissions     []choices
	Scope           []choices
	// Kept are chosen things that the form does not show, by field.
	Kept      map[string][]string
	ExpiresOn string
	// Limited is true for who hands on chosen things only.
	Limited bool
}

// mayHandOn reports whether a form offers a permission; the rule decides again.
func (v *visit) mayHandOn(p domain.Permission) bool {
	g := v.caller.Grants.Accounts[v.account]
	return g.Owner || slices.Contains(g.Permissions, p) || slices.Contains(g.Permissions, all)
}

// permissionChoices are the boxes of what the viewer may hand on.
func (v *visit) permissionChoices(ticked []domain.Permission, but ...domain.Permission) []choices {
	var out []choices
	for _, group := range permissionGroups {
		c := choices{Name: "permissions." + group.Name}
		for _, p := range group.Items {
			if v.mayHandOn(p) && !slices.Contains(but, p) {
				c.Boxes = append(c.Boxes, choice{string(p), v.words.textOr("permission."+string(p), string(p)), slices.Contains(ticked, p)})
			}
		}
		if c.Boxes != nil {
			out = append(out, c)
		}
	}
	return out
}

// termsForm shows terms, those that were typed first.
func (p *pages) termsForm(v *visit, t delegation.Terms) (termsForm, error) {
	if v.page.Form.values != nil {
		t, _ = p.typedTerms(input{values: v.page.Form.values}) // what is wrong with them is said already
	}
	f := termsForm{
		All: slices.Contains(t.Permissions, all), Everything: t.Scope.All, Permissions: v.permissionChoices(t.Permissions),
		Limited: delegation.Limited(v.caller.Grants, v.account), Kept: map[string][]string{"certificates": t.Scope.Certificates},
	}
	if t.ExpiresAt != nil {
		f.ExpiresOn = t.ExpiresAt.Add(-time.Second).In(p.Zone).Format(time.DateOnly)
	}
	return f, p.scopeChoices(v, &f, t.Scope)
}

// scopeChoices are the boxes of what the viewer may choose from.
func (p *pages) scopeChoices(v *visit, f *termsForm, s delegation.Scope) error {
	ctx, g := v.r.Context(), v.caller.Grants
	services, err := everyPage(v.page.May.Services, func(at projections.Page) (projections.List[projections.ServiceRow], error) {
		return p.Reader.Services(ctx, g, v.account, at)
	})
	if err != nil {
		return err
	}
	domains, err := everyPage(v.page.May.Domains, func(at projections.Page) (projections.List[projections.DomainNameRow], error) {
		return p.Reader.DomainNames(ctx, g, v.account, at)
	})
	if err != nil {
		return err
	}
	tickets, err := everyPage(v.page.May.Tickets, func(at projections.Page) (projections.List[projections.TicketRow], error) {
		return p.Reader.Tickets(ctx, g, v.account, at)
	})
	if err != nil {
		return err
	}
	add := func(name string, chosen []string, boxes []choice) {
		shown := map[string]bool{}
		for i, b := range boxes {
			shown[b.Value] = true
			boxes[i].Ticked = slices.Contains(chosen, b.Value)
		}
		for _, id := range chosen {
			if !shown[id] {
				f.Kept[name] = append(f.Kept[name], id)
			}
		}
		if boxes != nil {
			f.Scope = append(f.Scope, choices{Name: name, Boxes: boxes})
		}
	}
	add("services", s.Services, boxes(services, func(r projections.ServiceRow) choice { return choice{Value: r.ID, Label: r.Name + " · " + r.Label} }))
	add("domains", s.Domains, boxes(domains, func(r projections.DomainNameRow) choice { return choice{Value: r.ID, Label: r.Name} }))
	add("tickets", s.Tickets, boxes(tickets, func(r projections.TicketRow) choice {
		return choice{Value: r.ID, Label: "#" + r.Number + " - " + r.Subject}
	}))
	return nil
}

func boxes[R any](rows []R, box func(R) choice) []choice {
	var out []choice
	for _, r := range rows {
		out = append(out, box(r))
	}
	return out
}

// everyPage reads a list to its end, or to as many rows as a scope may name.
func everyPage[R any](may bool, read func(projections.Page) (projections.List[R], error)) ([]R, error) {
	var out []R
	at := projections.Page{Limit: 100}
	for may && len(out) < delegation.MaxChosen {
		list, err := read(at)
		if err != nil {
			return nil, err
		}
		out = append(out, list.Items...)
		if list.NextCursor == nil {
			break
		}
		at.Cursor = *list.NextCursor
	}
	return out, nil
}

// typedTerms are the terms that a form sends.
func (p *pages) typedTerms(in input) (t delegation.Terms, err error) {
	t.Permissions = typedPermissions(in)
	if in.value("reach") == "all" {
		t.Scope.All = true
	} else {
		t.Scope = delegation.Scope{
			Services: in.values["services"], Domains: in.values["domains"],
			Certificates: in.values["certificates"], Tickets: in.values["tickets"],
		}
	}
	t.ExpiresAt, err = p.typedEnd(in)
	return t, err
}

func typedPermissions(in input) (out []domain.Permission) {
	if in.value("rights") == "all" {
		return []domain.Permission{all}
	}
	for _, name := range in.values["permissions"] {
		out = append(out, domain.Permission(name))
	}
	return out
}

// typedEnd is the end of the day that a form gives, nil for none.
func (p *pages) typedEnd(in input) (*time.Time, error) {
	typed := in.value("expires_at")
	if typed == "" {
		return nil, nil //nolint:nilnil // no end is what nil says
	}
	day, err := time.ParseInLocation(time.DateOnly, typed, p.Zone)
	if err != nil {
		return nil, domain.Invalid("expires_at", "must be a day")
	}
	end := day.AddDate(0, 0, 1)
	return &end, nil
}
