package delegation

import (
	"slices"
	"time"

	"github.com/hostfold/hostfold/domain"
)

// everything is the permission that stands for all of them.
const everything domain.Permission = "*"

// Grant is what a user holds on one account.
type Grant struct {
	// Owner is true for the account's owner, who holds every delegable permission.
	Owner bool `json:"owner"`
	// Delegation is the id of the delegation that gives the rest, "" for none.
	Delegation string `json:"delegation,omitempty"`
	// Impersonation is the id of what gives all of it to a staff member for a
	// while, "" for everybody else. It is the session's, not the user's.
	Impersonation string `json:"-"`
	// Closed is true once the account is closed: it is read, and nothing more. It
	// is the account's, not the holder's.
	Closed bool `json:"-"`
	Terms
}

// Terms are what a delegation grants: permissions, on what, until when.
type Terms struct {
	// Permissions lists what a delegate holds, what they imply included; "*" is
	// all of them, under a limited scope all that a scope can limit.
	Permissions []domain.Permission `json:"permissions"`
	// Scope is what of the account the permissions reach. It limits those on
	// services, domain names, certificates and tickets; a permission on what an
	// account has only once or as a whole (profile, invoices, wallet …) has to
	// be named, and then reaches the whole account.
	Scope Scope `json:"scope"`
	// ExpiresAt ends the grant, nil never.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// Powerful reports whether the terms let who has them do more than read: a
// stolen session must not grant that, since it would outlive the session.
func (t Terms) Powerful() bool {
	return slices.ContainsFunc(t.Permissions, func(p domain.Permission) bool { return !slices.Contains(reads, p) })
}

// Scope is everything of an account, or chosen things by their ids.
type Scope struct {
	All          bool     `json:"all,omitempty"`
	Services     []string `json:"services,omitempty"`
	Domains      []string `json:"domains,omitempty"`
	Certificates []string `json:"certificates,omitempty"`
	Tickets      []string `json:"tickets,omitempty"`
}

// The categories of what a scope can choose.
const (
	kindService     = "hosting"
	kindDomain      = "domainname"
	kindCertificate = "certificate"
	kindTicket      = "ticket"
)

// limited names what each permission is about that a scope can limit. All
// others are about the account as a whole.
var limited = map[domain.Permission]string{
	ServicesRead: kindService, ServicesManage: kindService, ServicesSSO: kindService, ServicesPassword: kindService, ServicesCancel: kindService,
	DomainsRead: kindDomain, DomainsManage: kindDomain, DNSManage: kindDomain, DNSSECManage: kindDomain,
	CertificatesRead: kindCertificate, CertificatesManage: kindCertificate,
	TicketsRead: kindTicket, TicketsWrite: kindTicket,
}

// implied are the permissions without which another one is of no use; they are
// added when a grant is written. One on chosen things never implies one on the
// whole account.
var implied = map[domain.Permission][]domain.Permission{
	ProfileWrite:       {ProfileRead},
	ServicesManage:     {ServicesRead},
	ServicesSSO:        {ServicesRead},
	ServicesPassword:   {ServicesRead},
	ServicesCancel:     {ServicesRead},
	OrdersPlace:        {InvoicesRead, InvoicesPay},
	DomainsManage:      {DomainsRead},
	DNSManage:          {DomainsRead},
	DNSSECManage:       {DomainsRead},
	CertificatesManage: {CertificatesRead},
	QuotesAccept:       {QuotesRead},
	InvoicesPay:        {InvoicesRead},
	WalletTopUp:        {WalletRead},
	WalletSpend:        {WalletRead},
	TicketsWrite:       {TicketsRead},
}

// ids are the chosen things of a category.
func (s Scope) ids(kind string) []string {
	switch kind {
	case kindService:
		return s.Services
	case kindDomain:
		return s.Domains
	case kindCertificate:
		return s.Certificates
	case kindTicket:
		return s.Tickets
	}
	return nil
}

// IDs are the ids of all chosen things.
func (s Scope) IDs() []string {
	return slices.Concat(s.Services, s.Domains, s.Certificates, s.Tickets)
}

// within reports whether all that s reaches is reached by the wider one.
func (s Scope) within(wider Scope) bool {
	if wider.All {
		return true
	}
	in := func(ids, all []string) bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(all, id) })
	}
	return !s.All && in(s.Services, wider.Services) && in(s.Domains, wider.Domains) &&
		in(s.Certificates, wider.Certificates) && in(s.Tickets, wider.Tickets)
}

// holds reports whether the grant has the permission on anything.
func (g Grant) holds(p domain.Permission) bool {
	if g.Owner || slices.Contains(g.Permissions, p) {
		return true
	}
	return slices.Contains(g.Permissions, everything) && (g.Scope.All || limited[p] != "")
}

// reach is what the permission reaches: the chosen ids of its kind, or nil for
// all that the account has.
func (g Grant) reach(p domain.Permission) []string {
	kind := limited[p]
	if g.Owner || g.Scope.All || kind == "" {
		return nil
	}
	return append([]string{}, g.Scope.ids(kind)...)
}

// allows reports whether the grant has the permission on the resource; a
// resource without id is the list of them.
func (g Grant) allows(p domain.Permission, r Resource) bool {
	if !g.holds(p) {
		return false
	}
	ids := g.reach(p)
	return ids == nil || r.Kind == limited[p] && (r.ID == "" || slices.Contains(ids, r.ID))
}

// Covers reports whether everything that other gives, and may come to give, is
// given by g for as long: only then may who holds g hand other on, change it or
// end it.
func (g Grant) Covers(other Grant) bool {
	if g.Owner {
		return true
	}
	if other.Owner || slices.Contains(other.Permissions, everything) && !slices.Contains(g.Permissions, everything) {
		return false
	}
	for _, p := range delegable {
		if other.holds(p) && !g.holds(p) {
			return false
		}
	}
	if g.ExpiresAt != nil && (other.ExpiresAt == nil || other.ExpiresAt.After(*g.ExpiresAt)) {
		return false
	}
	return other.Scope.within(g.Scope)
}

// limitedTo is the part of the grant that some permissions leave: those of an
// API token, which acts for nobody and hands nothing on.
func (g Grant) limitedTo(permissions []domain.Permission) Grant {
	left := Grant{Delegation: g.Delegation, Closed: g.Closed, Terms: g.Terms}
	if g.Owner {
		left.Scope = Scope{All: true}
	}
	left.Permissions = []domain.Permission{}
	own := Grant{Terms: Terms{Permissions: permissions, Scope: left.Scope}}
	for _, p := range delegable {
		if p != UsersManage && g.holds(p) && own.holds(p) {
			left.Permissions = append(left.Permissions, p)
		}
	}
	return left
}

// MaxChosen is how many things a scope may name.
const MaxChosen = 500

// check notes what is wrong with the terms at a time, and answers them with
// what they imply.
func (t Terms) check(c *domain.Check, now time.Time) Terms {
	t.Permissions = closed(c, t.Permissions)
	t.Scope = t.Scope.check(c)
	about := slices.ContainsFunc(t.Permissions, func(p domain.Permission) bool { return p == everything || limited[p] != "" })
	c.That(t.Scope.All || len(t.Scope.IDs()) > 0 || !about, "scope", "must be everything, or name what the permissions reach")
	if t.ExpiresAt != nil {
		at := t.ExpiresAt.UTC().Truncate(time.Microsecond)
		t.ExpiresAt = &at
		c.That(at.After(now), "expires_at", "must be in the future")
	}
	return t
}

// CheckTerms notes what is wrong with terms at a time, under a prefix of their
// fields, and answers them with what they imply.
func CheckTerms(c *domain.Check, prefix string, t Terms, now time.Time) Terms {
	var own domain.Check
	t = t.check(&own, now)
	c.Within(prefix, own)
	return t
}

// CheckToken notes what is wrong with the permissions of an API token, and
// answers them with what they imply. Tokens hand nothing on.
func CheckToken(c *domain.Check, permissions []domain.Permission) []domain.Permission {
	c.That(!slices.Contains(permissions, UsersManage), "permissions", "must not be users.manage: a token acts for nobody but its holder")
	return closed(c, permissions)
}

// closed are the permissions with what they imply, in one order.
func closed(c *domain.Check, permissions []domain.Permission) []domain.Permission {
	c.That(len(permissions) > 0, "permissions", "must name at least one permission")
	if slices.Contains(permissions, everything) {
		c.That(len(permissions) == 1, "permissions", `must not name others beside "*"`)
		return []domain.Permission{everything}
	}
	held := map[domain.Permission]bool{}
	for _, p := range permissions {
		c.That(slices.Contains(delegable, p), "permissions", "must be permissions that can be delegated")
		held[p] = true
		for _, q := range implied[p] {
			held[q] = true
		}
	}
	var out []domain.Permission
	for _, p := range delegable {
		if held[p] {
			out = append(out, p)
		}
	}
	return out
}

// check notes what is wrong with the scope, and answers it in one order.
func (s Scope) check(c *domain.Check) Scope {
	c.That(!s.All || len(s.IDs()) == 0, "scope", "must not name things beside everything")
	c.That(len(s.IDs()) <= MaxChosen, "scope", "must name at most 500 things")
	order := func(ids []string) []string {
		if len(ids) == 0 {
			return nil
		}
		return slices.Compact(slices.Sorted(slices.Values(ids)))
	}
	return Scope{
		All: s.All, Services: order(s.Services), Domains: order(s.Domains),
		Certificates: order(s.Certificates), Tickets: order(s.Tickets),
	}
}
