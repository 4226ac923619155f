package delegation_test

import (
	"embed"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// everyPermission is the whole set, with those of staff and the special ones.
var everyPermission = []domain.Permission{
	"profile.read", "profile.write", "contacts.manage", "users.manage", "services.read", "services.manage", "services.sso",
	"services.password", "services.cancel", "orders.place", "domains.read", "domains.manage", "dns.manage", "dnssec.manage",
	"certificates.read", "certificates.manage", "quotes.read", "quotes.accept", "invoices.read", "invoices.pay", "wallet.read",
	"wallet.topup", "wallet.spend", "paymentmethods.manage", "tickets.read", "tickets.write", "emails.read", "notifications.read",
	"notifications.mark", "owner", "system", "self", "member",
	"staff.members", "staff.accounts", "staff.accounts.read", "staff.users.read", "staff.billing", "staff.support",
	"staff.services", "staff.content", "staff.audit", "staff.privacy", "staff.impersonate",
}

//go:embed *.go
var sources embed.FS

// TestPermissionsAndRolesAreWhole reads what the package declares: none is missing
// in the lists that others go by.
func TestPermissionsAndRolesAreWhole(t *testing.T) {
	t.Parallel()
	permissions := []string{"anyone", "signed_in", "self", "member", "notifications.mark", "owner", "system", "*"} // nobody is given one of them
	for _, p := range delegation.Permissions() {
		permissions = append(permissions, string(p))
	}
	var roles []string
	for _, r := range delegation.Roles() {
		roles = append(roles, string(r))
	}
	for of, want := range map[string][]string{"Permission": permissions, "Role": roles} {
		slices.Sort(want)
		if diff := cmp.Diff(want, constants(t, of)); diff != "" {
			t.Errorf("%s in the list (-), declared (+):\n%s", of, diff)
		}
	}
}

// constants are the texts of the package's constants of a type, in order.
func constants(t *testing.T, typeName string) (all []string) {
	t.Helper()
	files, err := fs.Glob(sources, "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := sources.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if value, ok := constant(n, typeName); ok {
				all = append(all, value)
			}
			return true
		})
	}
	slices.Sort(all)
	return all
}

// constant is the text that a node declares as a constant of a type.
func constant(n ast.Node, typeName string) (string, bool) {
	spec, ok := n.(*ast.ValueSpec)
	if !ok || spec.Type == nil || len(spec.Values) != 1 {
		return "", false
	}
	name := ""
	switch of := spec.Type.(type) {
	case *ast.Ident:
		name = of.Name
	case *ast.SelectorExpr:
		name = of.Sel.Name
	}
	value, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || name != typeName {
		return "", false
	}
	text, err := strconv.Unquote(value.Value)
	return text, err == nil
}

// TestRoles is the table of docs/security.md: what each role may do on any
// account, and nothing else.
func TestRoles(t *testing.T) {
	t.Parallel()
	allReads := []domain.Permission{
		"profile.read", "services.read", "domains.read", "certificates.read", "quotes.read", "invoices.read", "wallet.read",
		"tickets.read", "emails.read", "notifications.read",
	}
	table := map[delegation.Role][]domain.Permission{
		"admin": append([]domain.Permission{
			"staff.members", "staff.accounts", "staff.accounts.read", "staff.users.read", "staff.billing", "staff.support",
			"staff.services", "staff.content", "staff.audit", "staff.privacy", "staff.impersonate",
		}, allReads...),
		"billing": {"staff.accounts.read", "staff.billing", "profile.read", "quotes.read", "invoices.read", "wallet.read"},
		"support": {
			"staff.accounts.read", "staff.users.read", "staff.support", "staff.impersonate",
			"profile.read", "services.read", "domains.read", "certificates.read", "tickets.read",
		},
		"auditor": append([]domain.Permission{"staff.accounts.read", "staff.users.read", "staff.audit"}, allReads...),
		"king":    nil,
		"":        nil,
	}
	for _, role := range delegation.Roles() {
		if table[role] == nil {
			t.Errorf("%s is not in the table", role)
		}
	}
	for role, allowed := range table {
		may := map[domain.Permission]bool{}
		for _, p := range allowed {
			may[p] = true
		}
		for _, p := range everyPermission {
			g := delegation.Grants{User: "usr_staff", Role: role}
			if got := delegation.Can(g, "acc_1", p, delegation.Resource{Kind: "thing", ID: "x"}); got != may[p] {
				t.Errorf("%q and %s: %v", role, p, got)
			}
			g.Unproven = true
			if delegation.Can(g, "acc_1", p, delegation.Resource{Kind: "thing", ID: "x"}) {
				t.Errorf("%q has %s without a second factor", role, p)
			}
		}
		g := delegation.Grants{User: "usr_staff", Role: role}
		if delegation.Sees(g, "acc_1") != (len(allowed) > 0) {
			t.Errorf("%q and the account itself", role)
		}
		g.Unproven = true
		if delegation.Sees(g, "acc_1") {
			t.Errorf("%q sees an account without a second factor", role)
		}
	}
}

func TestARoleWidensAGrantNoFurtherThanItReaches(t *testing.T) {
	t.Parallel()
	g := delegate(delegation.Terms{
		Permissions: []domain.Permission{delegation.ServicesRead, delegation.TicketsRead}, Scope: delegation.Scope{Services: []string{"hst_1"}, Tickets: []string{"tkt_1"}},
	})
	g.Role = delegation.RoleBilling
	if !delegation.Limited(g, "acc_1") || len(delegation.Reach(g, "acc_1", delegation.ServicesRead)) != 1 {
		t.Error("who looks after invoices sees services that were not delegated")
	}
	if delegation.Reach(g, "acc_1", delegation.InvoicesRead) != nil || !delegation.Can(g, "acc_1", delegation.InvoicesRead, delegation.Resource{Kind: "invoice", ID: "inv_1"}) {
		t.Error("the role no longer reaches what it is for")
	}
	g.Role = delegation.RoleSupport
	if delegation.Limited(g, "acc_1") || delegation.Reach(g, "acc_1", delegation.ServicesRead) != nil {
		t.Error("who answers tickets sees less with a grant than without")
	}
}

func TestAHiddenAccountTellsStaffWhatTheyLack(t *testing.T) {
	t.Parallel()
	if err := delegation.Hidden(delegation.Grants{User: "usr_1"}); domain.KindOf(err) != domain.KindMissing {
		t.Error(err)
	}
	if err := delegation.Hidden(delegation.Grants{User: "usr_1", Role: delegation.RoleSupport, Unproven: true}); err != delegation.ErrSecondFactor { //nolint:errorlint // the very one
		t.Error(err)
	}
}

func TestWhoActsForAnAccountGetsWhatItsOwnerHandsOnButNotAll(t *testing.T) {
	t.Parallel()
	on := delegation.Impersonation{ID: "imp_1", Account: "acc_1", Until: noon()}
	support := delegation.Grants{User: "usr_staff", Role: delegation.RoleSupport}
	acting := support.Impersonating(on)
	out := map[domain.Permission]bool{
		"users.manage": true, "services.password": true, "profile.write": true, "contacts.manage": true, "orders.place": true,
		"quotes.accept": true, "invoices.pay": true, "wallet.topup": true, "wallet.spend": true, "paymentmethods.manage": true,
	}
	for _, p := range everyPermission[:28] {
		if got := delegation.Can(acting, "acc_1", p, delegation.Resource{Kind: "thing", ID: "x"}); got == out[p] {
			t.Errorf("%s: %v", p, got)
		}
		if p != "profile.read" && delegation.Can(acting, "acc_2", p, delegation.ListOf(p)) != delegation.Can(support, "acc_2", p, delegation.ListOf(p)) {
			t.Errorf("%s changed on another account", p)
		}
	}
	for _, p := range []domain.Permission{delegation.Owner, delegation.Member, delegation.NotificationsMark, delegation.StaffBilling, delegation.System} {
		if delegation.Can(acting, "acc_1", p, delegation.Resource{}) {
			t.Errorf("%s is within reach", p)
		}
	}
	for _, p := range []domain.Permission{delegation.Owner, delegation.Member, delegation.ContactsManage, delegation.ProfileWrite, delegation.NotificationsMark} {
		if err := delegation.Refusal(acting, "acc_1", p, delegation.Resource{}); !errors.Is(err, delegation.ErrOutOfReach) {
			t.Errorf("%s is refused with %v", p, err)
		}
		if err := delegation.Refusal(acting, "acc_2", p, delegation.Resource{}); !errors.Is(err, domain.ErrDenied) || errors.Is(err, delegation.ErrOutOfReach) {
			t.Errorf("%s of another account is refused with %v", p, err)
		}
	}
	if support.Accounts != nil || acting.Impersonation == nil {
		t.Error("the grants before were changed, or those after do not tell")
	}
	for name, g := range map[string]delegation.Grants{
		"an auditor":                    {User: "usr_staff", Role: delegation.RoleAuditor},
		"billing":                       {User: "usr_staff", Role: delegation.RoleBilling},
		"support without second factor": {User: "usr_staff", Role: delegation.RoleSupport, Unproven: true},
		"who was staff":                 {User: "usr_staff"},
	} {
		if got := g.Impersonating(on); len(got.Accounts) > 0 || got.Impersonation != nil {
			t.Errorf("%s acts for an account", name)
		}
	}
	own := delegation.Grants{User: "usr_staff", Role: delegation.RoleSupport, Accounts: map[string]delegation.Grant{"acc_1": {Owner: true}}}
	if got := own.Impersonating(on); !got.Accounts["acc_1"].Owner || got.Impersonation != nil {
		t.Error("an owner acts as itself")
	}
}

// TestOwnRightsDoNotHideWhatTheRoleShows is about what is recorded: a staff
// member who was given one service sees the others by its role.
func TestOwnRightsDoNotHideWhatTheRoleShows(t *testing.T) {
	t.Parallel()
	given := func(scope delegation.Scope) delegation.Grants {
		return delegation.Grants{User: "usr_staff", Role: delegation.RoleSupport, Accounts: map[string]delegation.Grant{
			"acc_1": {Delegation: "dlg_1", Terms: delegation.Terms{Permissions: []domain.Permission{delegation.ServicesRead}, Scope: scope}},
		}}
	}
	one, all := given(delegation.Scope{Services: []string{"srv_1"}}), given(delegation.Scope{All: true})
	service := func(id string) delegation.Resource { return delegation.Resource{Kind: "hosting", ID: id} }
	for name, c := range map[string]struct {
		grants delegation.Grants
		of     delegation.Resource
		want   bool
	}{
		"the service that was given":     {one, service("srv_1"), false},
		"another one":                    {one, service("srv_2"), true},
		"the list, which has the others": {one, service(""), true},
		"a list that was given whole":    {all, service(""), false},
	} {
		if got := delegation.ByRole(c.grants, "acc_1", delegation.ServicesRead, c.of); got != c.want {
			t.Errorf("%s: by the role %v", name, got)
		}
	}
}
