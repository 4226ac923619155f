package delegation_test

import (
	"errors"
	"testing"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

func TestCanDeniesByDefault(t *testing.T) {
	t.Parallel()
	holds := func(permissions ...domain.Permission) delegation.Grants {
		return delegation.Grants{User: "usr_1", Accounts: map[string]delegation.Grant{"acc_1": {Terms: everywhere(permissions...)}}}
	}
	owner := delegation.Grants{User: "usr_1", Accounts: map[string]delegation.Grant{"acc_1": {Owner: true}}}
	admin := delegation.Grants{User: "usr_2", Role: delegation.RoleAdmin}
	for name, tt := range map[string]struct {
		grants  delegation.Grants
		account string
		p       domain.Permission
		id      string
		want    bool
	}{
		"nobody reads news":                               {p: delegation.Anyone, want: true},
		"nobody reads invoices":                           {account: "acc_1", p: delegation.InvoicesRead},
		"nobody opens an account":                         {p: delegation.SignedIn},
		"a user opens an account":                         {grants: owner, p: delegation.SignedIn, want: true},
		"a user is itself":                                {grants: owner, p: delegation.Self, id: "usr_1", want: true},
		"a user is nobody else":                           {grants: owner, p: delegation.Self, id: "usr_2"},
		"nobody is not itself":                            {p: delegation.Self},
		"an owner holds what can be delegated":            {grants: owner, account: "acc_1", p: delegation.WalletSpend, want: true},
		"an owner holds nothing elsewhere":                {grants: owner, account: "acc_2", p: delegation.InvoicesRead},
		"an owner holds nothing without an account":       {grants: owner, p: delegation.InvoicesRead},
		"an owner is no staff":                            {grants: owner, account: "acc_1", p: delegation.StaffBilling},
		"an owner is no part of the system":               {grants: owner, account: "acc_1", p: delegation.System},
		"a delegate holds what was granted":               {grants: holds(delegation.TicketsRead), account: "acc_1", p: delegation.TicketsRead, want: true},
		"a delegate holds nothing else":                   {grants: holds(delegation.TicketsRead), account: "acc_1", p: delegation.TicketsWrite},
		"a full delegate holds all that can be delegated": {grants: holds("*"), account: "acc_1", p: delegation.DNSManage, want: true},
		"a full delegate is no staff":                     {grants: holds("*"), account: "acc_1", p: delegation.StaffAudit},
		"a granted staff permission is worth nothing":     {grants: holds(delegation.StaffBilling), account: "acc_1", p: delegation.StaffBilling},
		"a permission that does not exist is denied":      {grants: owner, account: "acc_1", p: "invoices.delete"},
		"an admin holds staff permissions":                {grants: admin, account: "acc_1", p: delegation.StaffBilling, want: true},
		"an admin reads for customers":                    {grants: admin, account: "acc_1", p: delegation.InvoicesRead, want: true},
		"an admin does not act for customers":             {grants: admin, account: "acc_1", p: delegation.TicketsWrite},
		"an admin reads a customer's notifications":       {grants: admin, account: "acc_1", p: delegation.NotificationsRead, want: true},
		"an admin does not mark them as read":             {grants: admin, account: "acc_1", p: delegation.NotificationsMark},
		"an owner marks notifications as read":            {grants: owner, account: "acc_1", p: delegation.NotificationsMark, want: true},
		"who reads notifications marks them as read":      {grants: holds(delegation.NotificationsRead), account: "acc_1", p: delegation.NotificationsMark, want: true},
		"who does not read them does not mark them":       {grants: holds(delegation.TicketsRead), account: "acc_1", p: delegation.NotificationsMark},
		"a role that does not exist holds nothing":        {grants: delegation.Grants{User: "usr_2", Role: "king"}, p: delegation.StaffAudit},
		"the system does what it must":                    {grants: delegation.Grants{System: true}, p: delegation.System, want: true},
	} {
		got := delegation.Can(tt.grants, tt.account, tt.p, delegation.Resource{Kind: "user", ID: tt.id})
		if got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSeesHidesAccountsOfOthers(t *testing.T) {
	t.Parallel()
	owner := delegation.Grants{User: "usr_1", Accounts: map[string]delegation.Grant{"acc_1": {Owner: true}}}
	if !delegation.Sees(owner, "acc_1") || delegation.Sees(owner, "acc_2") || delegation.Sees(delegation.Grants{}, "acc_1") {
		t.Error("an owner sees another account, or not its own, or nobody sees one")
	}
	if !delegation.Sees(delegation.Grants{Role: delegation.RoleAdmin}, "acc_1") || !delegation.Sees(delegation.Grants{System: true}, "acc_1") {
		t.Error("staff or the system do not see an account")
	}
}

func TestAScopeLimitsWhatCanBeChosen(t *testing.T) {
	t.Parallel()
	g := delegate(delegation.Terms{
		Permissions: []domain.Permission{delegation.ServicesManage, delegation.ServicesRead, delegation.DomainsRead, delegation.InvoicesRead},
		Scope:       delegation.Scope{Services: []string{"hst_1"}},
	})
	all := delegate(chosen([]string{"hst_1"}, "*"))
	type ask struct {
		p        domain.Permission
		kind, id string
	}
	for name, tt := range map[string]struct {
		grants delegation.Grants
		ask    ask
		want   bool
	}{
		"its service":                             {g, ask{delegation.ServicesManage, "hosting", "hst_1"}, true},
		"another service":                         {g, ask{delegation.ServicesRead, "hosting", "hst_2"}, false},
		"the list of services":                    {g, ask{delegation.ServicesRead, "hosting", ""}, true},
		"a domain":                                {g, ask{delegation.DomainsRead, "domainname", "dom_1"}, false},
		"a thing of another kind with that id":    {g, ask{delegation.DomainsRead, "domainname", "hst_1"}, false},
		"invoices, which were named":              {g, ask{delegation.InvoicesRead, "invoice", "inv_1"}, true},
		"the wallet":                              {g, ask{delegation.WalletRead, "wallet", ""}, false},
		"everything on its service":               {all, ask{delegation.ServicesCancel, "hosting", "hst_1"}, true},
		"everything, but not what was not chosen": {all, ask{delegation.TicketsRead, "ticket", "tkt_1"}, false},
		"everything, but not the whole account":   {all, ask{delegation.InvoicesRead, "invoice", "inv_1"}, false},
		"everything, but not the profile":         {all, ask{delegation.ProfileRead, "account", "acc_1"}, false},
		"everything, but not the users":           {all, ask{delegation.UsersManage, "delegation", ""}, false},
	} {
		if got := delegation.Can(tt.grants, "acc_1", tt.ask.p, delegation.Resource{Kind: tt.ask.kind, ID: tt.ask.id}); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if ids := delegation.Reach(g, "acc_1", delegation.DomainsRead); ids == nil || len(ids) > 0 {
		t.Error("no domain was chosen, and the list has", ids)
	}
	if ids := delegation.Reach(g, "acc_1", delegation.InvoicesRead); ids != nil {
		t.Error("invoices are limited to", ids)
	}
	if delegation.Reaches(g, "acc_1", delegation.Resource{Kind: "hosting", ID: "hst_2"}) || !delegation.Reaches(g, "acc_1", delegation.Resource{Kind: "hosting", ID: "hst_1"}) {
		t.Error("what is out of the scope exists, or what is in it does not")
	}
}

func TestARoleCountsOnceASecondFactorWasShown(t *testing.T) {
	t.Parallel()
	service := func(id string) delegation.Resource { return delegation.Resource{Kind: "hosting", ID: id} }
	g := delegate(delegation.Terms{Permissions: []domain.Permission{delegation.ServicesRead}, Scope: delegation.Scope{Services: []string{"hst_1"}}})
	g.Role, g.Unproven = delegation.RoleAdmin, true
	for _, c := range []struct {
		account string
		p       domain.Permission
		r       delegation.Resource
	}{
		{"", delegation.StaffBilling, delegation.Resource{Kind: "invoice"}},
		{"acc_2", delegation.InvoicesRead, delegation.Resource{Kind: "invoice", ID: "inv_1"}},
		{"acc_1", delegation.ServicesRead, service("hst_2")},
	} {
		if delegation.Can(g, c.account, c.p, c.r) || !errors.Is(delegation.Refusal(g, c.account, c.p, c.r), delegation.ErrSecondFactor) {
			t.Errorf("%s on %v without a second factor", c.p, c.r)
		}
		proven := g
		proven.Unproven = false
		if !delegation.Can(proven, c.account, c.p, c.r) {
			t.Errorf("%s on %v is refused with one", c.p, c.r)
		}
	}
	if !delegation.Can(g, "acc_1", delegation.ServicesRead, service("hst_1")) || len(delegation.Reach(g, "acc_1", delegation.ServicesRead)) != 1 || delegation.Reaches(g, "acc_1", service("hst_2")) {
		t.Error("what was delegated to a staff member is not what holds")
	}
	if err := delegation.Refusal(g, "acc_1", delegation.ServicesManage, service("hst_1")); errors.Is(err, delegation.ErrSecondFactor) || !errors.Is(err, domain.ErrDenied) {
		t.Errorf("what a second factor would not open: %v", err)
	}
}
