package delegation

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
)

// Role is a staff member's role, "" for who is no staff.
type Role string

// The roles of staff.
const (
	// RoleAdmin holds every staff permission and sees everything.
	RoleAdmin Role = "admin"
	// RoleBilling looks after invoices and payments.
	RoleBilling Role = "billing"
	// RoleSupport answers tickets.
	RoleSupport Role = "support"
	// RoleAuditor sees all that customers have, and raw history, and changes nothing.
	RoleAuditor Role = "auditor"
)

// Permissions that staff roles hold.
const (
	// StaffMembers is to hire staff, to give them roles and to deactivate them.
	StaffMembers domain.Permission = "staff.members"
	// StaffAccounts is to lock and unlock users.
	StaffAccounts domain.Permission = "staff.accounts"
	// StaffAccountsRead is to find accounts, and to follow everybody's events as
	// far as the role reads what they are about.
	StaffAccountsRead domain.Permission = "staff.accounts.read"
	// StaffUsersRead is to see who acts for an account, and what was done there.
	StaffUsersRead domain.Permission = "staff.users.read"
	// StaffImpersonate is to act for an account for a while (domain/impersonation).
	StaffImpersonate domain.Permission = "staff.impersonate"
	// StaffBilling is to draft, issue and credit invoices and to record payments.
	StaffBilling domain.Permission = "staff.billing"
	// StaffSupport is to read, answer and close tickets.
	StaffSupport domain.Permission = "staff.support"
	// StaffServices is to make and change services, domains and products.
	StaffServices domain.Permission = "staff.services"
	// StaffContent is to publish news.
	StaffContent domain.Permission = "staff.content"
	// StaffAudit is to read raw history.
	StaffAudit domain.Permission = "staff.audit"
	// StaffPrivacy is to erase people's data, and to forbid it.
	StaffPrivacy domain.Permission = "staff.privacy"
)

// powers are what a role may do: the staff permissions that it holds, and what
// of customers it reads.
type powers struct{ staff, reads []domain.Permission }

// powersOf is the one place that says what each role may do. A role that is not
// here may do nothing.
var powersOf = map[Role]powers{
	RoleAdmin: {staff: staffPermissions, reads: reads},
	RoleBilling: {
		staff: []domain.Permission{StaffAccountsRead, StaffBilling},
		reads: []domain.Permission{ProfileRead, QuotesRead, InvoicesRead, WalletRead},
	},
	RoleSupport: {
		staff: []domain.Permission{StaffAccountsRead, StaffUsersRead, StaffSupport, StaffImpersonate},
		reads: []domain.Permission{ProfileRead, ServicesRead, DomainsRead, CertificatesRead, TicketsRead},
	},
	RoleAuditor: {
		staff: []domain.Permission{StaffAccountsRead, StaffUsersRead, StaffAudit},
		reads: reads,
	},
}

// staffPermissions are all that staff roles hold.
var staffPermissions = []domain.Permission{
	StaffMembers, StaffAccounts, StaffAccountsRead, StaffUsersRead, StaffBilling, StaffSupport,
	StaffServices, StaffContent, StaffAudit, StaffPrivacy, StaffImpersonate,
}

// reads are the permissions that only show what an account has.
var reads = []domain.Permission{
	ProfileRead, ServicesRead, DomainsRead, CertificatesRead, QuotesRead,
	InvoicesRead, WalletRead, TicketsRead, EmailsRead, NotificationsRead,
}

// Roles are all roles that there are.
func Roles() []Role { return []Role{RoleAdmin, RoleBilling, RoleSupport, RoleAuditor} }

// CheckRole notes that a role is none.
func CheckRole(c *domain.Check, r Role) {
	c.That(slices.Contains(Roles(), r), "role", "must be admin, billing, support or auditor")
}

// holds reports whether the role has a staff permission.
func (r Role) holds(p domain.Permission) bool { return slices.Contains(powersOf[r].staff, p) }

// reads reports whether the role may use the permission, which only reads, on
// every account.
func (r Role) reads(p domain.Permission) bool { return slices.Contains(powersOf[r].reads, p) }

func isStaff(p domain.Permission) bool { return slices.Contains(staffPermissions, p) }

// ByRole reports whether it is the caller's staff role, rather than rights of
// its own on the account, by which it may use a permission there: what it sees
// then is recorded. Acting for an account is by the role, too.
func ByRole(g Grants, account string, p domain.Permission, r Resource) bool {
	if account == "" || !IsStaff(g) {
		return false
	}
	grant, own := g.Accounts[account]
	if !own || grant.Impersonation != "" || !grant.allows(p, r) {
		return true
	}
	// A list is the role's, too, when its own rights reach chosen things alone.
	return r.ID == "" && grant.reach(p) != nil && g.held().reads(p)
}
