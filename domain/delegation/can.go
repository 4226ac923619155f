// Package delegation decides who may do what: the permission set, what a
// caller holds, and Can, the one function that every command and every query
// asks. It denies by default. It must not establish who the caller is; that is
// http's part.
//
// It also holds the aggregate by which an account's owner hands rights on:
// invitation, acceptance, change, end (delegation.go). What a grant is, what it
// reaches and what it brings along is said in grant.go.
package delegation

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
)

// The permission set of spec 4.1, a superset of what WHMCS, WISECP and
// ClientXCMS offer for sub-users.
const (
	ProfileRead        domain.Permission = "profile.read"
	ProfileWrite       domain.Permission = "profile.write"
	ContactsManage     domain.Permission = "contacts.manage"
	UsersManage        domain.Permission = "users.manage"
	ServicesRead       domain.Permission = "services.read"
	ServicesManage     domain.Permission = "services.manage"
	ServicesSSO        domain.Permission = "services.sso"
	ServicesPassword   domain.Permission = "services.password"
	ServicesCancel     domain.Permission = "services.cancel"
	OrdersPlace        domain.Permission = "orders.place"
	DomainsRead        domain.Permission = "domains.read"
	DomainsManage      domain.Permission = "domains.manage"
	DNSManage          domain.Permission = "dns.manage"
	DNSSECManage       domain.Permission = "dnssec.manage"
	CertificatesRead   domain.Permission = "certificates.read"
	CertificatesManage domain.Permission = "certificates.manage"
	QuotesRead         domain.Permission = "quotes.read"
	QuotesAccept       domain.Permission = "quotes.accept"
	InvoicesRead       domain.Permission = "invoices.read"
	InvoicesPay        domain.Permission = "invoices.pay"
	WalletRead         domain.Permission = "wallet.read"
	WalletTopUp        domain.Permission = "wallet.topup"
	WalletSpend        domain.Permission = "wallet.spend"
	PaymentMethods     domain.Permission = "paymentmethods.manage"
	TicketsRead        domain.Permission = "tickets.read"
	TicketsWrite       domain.Permission = "tickets.write"
	EmailsRead         domain.Permission = "emails.read"
	NotificationsRead  domain.Permission = "notifications.read"
)

// Permissions outside the set that accounts can delegate.
const (
	// Anyone needs no caller: registering, logging in, public news.
	Anyone domain.Permission = "anyone"
	// SignedIn needs any user: opening an account.
	SignedIn domain.Permission = "signed_in"
	// Self needs the user that the resource is.
	Self domain.Permission = "self"
	// Member needs a user who holds anything on the account: for what belongs to
	// that user there, its API tokens.
	Member domain.Permission = "member"
	// NotificationsMark is to mark notifications as read. Whoever an account
	// lets read them has it; staff, who read everything, do not, nor when they act
	// for the account.
	NotificationsMark domain.Permission = "notifications.mark"
	// Owner is what an account's owner alone may do, and cannot hand on.
	Owner domain.Permission = "owner"
	// System is for process managers, the demo, imports and the command line.
	System domain.Permission = "system"
)

// Grants is everything the caller holds, read from the rights projection.
type Grants struct {
	// User is the caller's user id, "" for nobody and for system parts.
	User string
	// Role is the caller's staff role, "" for customers.
	Role Role
	// System is true for process managers, the demo and the command line.
	System bool
	// Accounts maps account id to what the caller holds on it.
	Accounts map[string]Grant
	// Token is the id of the API token that the caller shows, "" for a person.
	// A token is nobody: it opens no accounts, has no profile and makes no tokens.
	Token string
	// Unproven is true while a staff member's session has shown no second
	// factor: what the role holds does not count then.
	Unproven bool
	// Fresh is what the caller has proven in its session in the last minutes.
	Fresh Fresh
	// Impersonation is as whom a staff member's session acts, nil for nobody.
	Impersonation *Impersonation
}

// LimitedTo is what an API token may do now: its permissions on its account, as
// far as its holder has them.
func (g Grants) LimitedTo(token, account string, permissions []domain.Permission) Grants {
	left := Grants{User: g.User, Token: token, Accounts: map[string]Grant{}}
	if grant, ok := g.Accounts[account]; ok {
		left.Accounts[account] = grant.limitedTo(permissions)
	}
	return left
}

// Fresh says what the caller of a session has proven lately.
type Fresh struct {
	// Password is true for the password, SecondFactor for a second factor that
	// was shown after the log-in.
	Password, SecondFactor bool
}

// Enough reports whether that is enough for what a stolen session must not do:
// a second factor for who has one, else the password.
func (f Fresh) Enough(hasSecondFactor bool) bool {
	if hasSecondFactor {
		return f.SecondFactor
	}
	return f.Password
}

// held is the role whose permissions count.
func (g Grants) held() Role {
	if g.Unproven {
		return ""
	}
	return g.Role
}

// Refusal is the answer to a caller that sees what it may not do: who holds the
// right on an account that is closed, staff who act for an account in what is
// its owner's, and staff whom only a second factor lacks, hear so.
func Refusal(g Grants, account string, p domain.Permission, r Resource) error {
	if grant := g.Accounts[account]; grant.Impersonation != "" {
		if owner := (Grants{User: g.User, Accounts: map[string]Grant{account: {Owner: true}}}); Can(owner, account, p, r) {
			return ErrOutOfReach
		}
	} else if grant.Closed {
		grant.Closed = false
		if Can(Grants{User: g.User, Token: g.Token, Accounts: map[string]Grant{account: grant}}, account, p, r) {
			return ErrAccountClosed
		}
	}
	if g.Unproven {
		g.Unproven = false
		if Can(g, account, p, r) {
			return ErrSecondFactor
		}
	}
	return domain.ErrDenied
}

// ErrAccountClosed refuses to change anything of a closed account.
var ErrAccountClosed = domain.Conflict("account_closed", "This account is closed; only staff can open it again.")

// ErrSecondFactor says that staff need a second factor.
var ErrSecondFactor = &domain.Error{
	Kind: domain.KindDenied, Code: "second_factor_required",
	Detail: "Staff need a second factor: set one up under /v1/me/totp or /v1/me/passkeys, and log in with it.",
}

// Resource is the thing acted on or read.
type Resource struct {
	// Kind is the aggregate's category, ID its id; ID is "" for lists.
	Kind, ID string
}

// ListOf is the list of the things that a permission is about.
func ListOf(p domain.Permission) Resource { return Resource{Kind: limited[p]} }

// Noun is what people call the kind.
func (r Resource) Noun() string {
	switch r.Kind {
	case kindService:
		return "service"
	case kindDomain:
		return "domain"
	}
	return r.Kind
}

// Can reports whether the holder of the grants may use permission p on the
// resource under the account ("" when no account is involved).
func Can(g Grants, account string, p domain.Permission, r Resource) bool {
	switch {
	case p == Anyone, g.System:
		return true
	case p == SignedIn:
		return g.User != "" && g.Token == ""
	case p == Self:
		return g.User != "" && g.Token == "" && r.ID == g.User
	case p == Member:
		grant, ok := g.Accounts[account]
		return ok && grant.Impersonation == "" && g.User != "" && g.Token == ""
	case isStaff(p):
		return g.held().holds(p)
	case p == System, account == "":
		return false
	case p == Owner:
		return g.Accounts[account].Owner
	}
	if g.held().reads(p) {
		return true
	}
	grant, ok := g.Accounts[account]
	reading := slices.Contains(reads, p)
	if p == NotificationsMark {
		if grant.Impersonation != "" {
			return false // what warns the customer stays unread
		}
		p = NotificationsRead
	}
	if !slices.Contains(delegable, p) {
		return false
	}
	if grant.Closed && !reading && p != UsersManage { // whose lists and history are read; there is nobody left to manage
		return false
	}
	return ok && grant.allows(p, r)
}

// Reach is what of a kind the holder of the grants may use permission p on, for
// whom Can allows it on the list: the ids of chosen things, or nil for all that
// the account has.
func Reach(g Grants, account string, p domain.Permission) []string {
	if g.System || g.held().reads(p) {
		return nil
	}
	if p == NotificationsMark {
		p = NotificationsRead
	}
	return g.Accounts[account].reach(p)
}

// Limited reports whether what the holder of the grants has on the account is
// limited to chosen things. Staff who see the users of every account see all.
func Limited(g Grants, account string) bool {
	grant, ok := g.Accounts[account]
	return ok && !g.System && !g.held().holds(StaffUsersRead) && !grant.Owner && !grant.Scope.All
}

// SeesDelegation reports whether the holder of the grants may know of a delegation
// that reaches a scope: who is limited to chosen things, of those that reach
// nothing else.
func SeesDelegation(g Grants, account string, s Scope) bool {
	return !Limited(g, account) || s.within(g.Accounts[account].Scope)
}

// Reaches reports whether the resource is within the scope of what the holder
// has on the account: what is not does not exist for the holder, so that it is
// missing rather than denied.
func Reaches(g Grants, account string, r Resource) bool {
	if !Limited(g, account) || r.ID == "" {
		return true
	}
	switch r.Kind {
	case kindService, kindDomain, kindCertificate, kindTicket:
		return slices.Contains(g.Accounts[account].Scope.ids(r.Kind), r.ID)
	}
	return true
}

// SeesLink reports whether the holder of the grants may know of a thing that
// another one links to as service, domain, certificate, ticket, invoice or contact.
func SeesLink(g Grants, account, kind, id string) bool {
	switch kind {
	case "service":
		return Can(g, account, ServicesRead, Resource{Kind: kindService, ID: id})
	case "domain":
		return Can(g, account, DomainsRead, Resource{Kind: kindDomain, ID: id})
	case "certificate":
		return Can(g, account, CertificatesRead, Resource{Kind: kindCertificate, ID: id})
	case "ticket":
		return Can(g, account, TicketsRead, Resource{Kind: kindTicket, ID: id})
	case "invoice":
		return Can(g, account, InvoicesRead, Resource{Kind: "invoice", ID: id})
	case "contact":
		return SeesContacts(g, account)
	}
	return false
}

// SeesContacts reports whether the holder of the grants may read the account's
// contacts: who manages them, those of a closed account included, and staff who
// look after accounts. Whoever may see a domain name alone does not get to know
// whose it is.
func SeesContacts(g Grants, account string) bool {
	contacts := Resource{Kind: "contact"}
	if Can(g, "", StaffUsersRead, contacts) {
		return true
	}
	return Hears(g, account, ContactsManage, contacts)
}

// Hears reports whether the holder of the grants may know of what happened to
// the resource, where that needs p: in the event feed and in the account's
// history. That is whom Can allows p, and on a closed account, where nobody
// manages contacts any more, who did: the contacts themselves are read, too.
func Hears(g Grants, account string, p domain.Permission, r Resource) bool {
	if Can(g, account, p, r) {
		return true
	}
	grant, ok := g.Accounts[account]
	return p == ContactsManage && ok && grant.Closed && grant.allows(p, r)
}

// Sees reports whether the holder of the grants may know that the account
// exists: http answers 404 instead of 403 when not.
func Sees(g Grants, account string) bool {
	_, ok := g.Accounts[account]
	return ok || g.System || IsStaff(g)
}

// Hidden is the answer about an account that the caller does not see, whether
// there is one or not: staff whom only a second factor lacks hear so.
func Hidden(g Grants) error {
	if g.Unproven {
		g.Unproven = false
		if IsStaff(g) {
			return ErrSecondFactor
		}
	}
	return domain.Missing("account")
}

// IsStaff reports whether the holder of the grants acts as staff.
func IsStaff(g Grants) bool { return len(powersOf[g.held()].staff) > 0 }

// Permissions are all that somebody may hold: those that an owner holds and may
// hand on, and those of staff.
func Permissions() []domain.Permission { return slices.Concat(delegable, staffPermissions) }

// delegable is the set that an owner holds and may hand on.
var delegable = []domain.Permission{
	ProfileRead, ProfileWrite, ContactsManage, UsersManage, ServicesRead, ServicesManage, ServicesSSO,
	ServicesPassword, ServicesCancel, OrdersPlace, DomainsRead, DomainsManage, DNSManage, DNSSECManage,
	CertificatesRead, CertificatesManage, QuotesRead, QuotesAccept, InvoicesRead, InvoicesPay, WalletRead,
	WalletTopUp, WalletSpend, PaymentMethods, TicketsRead, TicketsWrite, EmailsRead, NotificationsRead,
}
