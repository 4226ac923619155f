package http_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/delegation"
	staffs "github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
)

// This file says who asks in the matrix, and what each may do. The rules are
// said here once more, in other words and apart from domain/delegation: a
// mistake there must not hide itself.

// handedOn are the permissions that an account's owner holds and can hand on.
var handedOn = strings.Fields(`
	profile.read profile.write contacts.manage users.manage
	services.read services.manage services.sso services.password services.cancel orders.place
	domains.read domains.manage dns.manage dnssec.manage certificates.read certificates.manage
	quotes.read quotes.accept invoices.read invoices.pay wallet.read wallet.topup wallet.spend paymentmethods.manage
	tickets.read tickets.write emails.read notifications.read`)

// roles is what each staff role holds. Staff change nothing under a customer's
// own addresses: there they read, if at all. A role that domain/delegation does
// not have takes no part.
func roles() map[delegation.Role][]string {
	const reads = " profile.read services.read domains.read certificates.read quotes.read invoices.read wallet.read tickets.read emails.read notifications.read"
	return map[delegation.Role][]string{
		"admin": strings.Fields(`staff.members staff.accounts staff.accounts.read staff.users.read staff.billing staff.support
			staff.services staff.content staff.audit staff.privacy staff.impersonate` + reads),
		"billing": strings.Fields("staff.accounts.read staff.billing profile.read quotes.read invoices.read wallet.read"),
		"support": strings.Fields("staff.accounts.read staff.users.read staff.support staff.impersonate profile.read services.read domains.read certificates.read tickets.read"),
		"auditor": strings.Fields("staff.accounts.read staff.users.read staff.audit" + reads),
	}
}

// customersAlone are those of them that staff who act for a customer do not get.
var customersAlone = strings.Fields(`
	profile.write contacts.manage users.manage services.password orders.place quotes.accept
	invoices.pay wallet.topup wallet.spend paymentmethods.manage`)

// brings are the permissions without which one is of no use.
func brings(p string) []string {
	area, _, _ := strings.Cut(p, ".")
	switch area {
	case "orders":
		return []string{p, "invoices.read", "invoices.pay"}
	case "dns", "dnssec":
		return []string{p, "domains.read"}
	}
	if read := area + ".read"; slices.Contains(handedOn, read) {
		return []string{p, read}
	}
	return []string{p}
}

// chosenOf is the kind of thing that a permission is about, for the kinds of
// which a grant can choose some; "" for what is about the whole account.
func chosenOf(p string) string {
	area, _, _ := strings.Cut(p, ".")
	switch area {
	case "services":
		return "service"
	case "domains", "dns", "dnssec":
		return "domain"
	case "certificates":
		return "certificate"
	case "tickets":
		return "ticket"
	}
	return ""
}

// caller is somebody in the matrix.
type caller struct {
	name string
	party
	// out is true for whoever shows nothing that opens anything any more.
	out bool
	// program is true for an API token.
	program bool
	// owns and on are the accounts that the caller owns and acts for.
	owns, on string
	// holds is what it holds on the second.
	holds []string
	// chosen are the things that a limited grant reaches, by kind; nil is all.
	chosen map[string][]string
	role   delegation.Role
	// acts is true for staff whose session acts for the second account.
	acts bool
	// unproven is true for staff who have shown no second factor.
	unproven bool
}

// knows reports whether the account exists for the caller.
func (c *caller) knows(account string) bool {
	return !c.out && account != "" && (c.owns == account || c.on == account) || c.role != "" && !c.unproven
}

// may reports whether the caller holds a permission on an account at all.
func (c *caller) may(p, account string) bool {
	if c.role != "" && !c.unproven && slices.Contains(roles()[c.role], p) {
		return true
	}
	switch {
	case c.out, account == "":
		return false
	case p == "owner":
		return c.owns == account && !c.program
	case p == "member":
		return !c.program && !c.acts && (c.owns == account || c.on == account)
	case p == "notifications.mark":
		// Who reads them marks them; but not staff, who only look.
		return c.role == "" && c.may("notifications.read", account)
	case !slices.Contains(handedOn, p):
		return false
	}
	return c.owns == account && !c.program || c.on == account && slices.Contains(c.holds, p)
}

// reaches reports whether a thing of a kind is within what the caller was given.
func (c *caller) reaches(kind, id, account string) bool {
	limited := c.on == account && c.owns != account && c.chosen != nil && chosenKind(kind)
	return !limited || slices.Contains(c.chosen[kind], id)
}

func chosenKind(kind string) bool {
	return slices.Contains([]string{"service", "domain", "certificate", "ticket"}, kind)
}

// limitedTo are the permissions of "*" for chosen things: those on such things.
func limitedTo() []string {
	return slices.DeleteFunc(slices.Clone(handedOn), func(p string) bool { return chosenOf(p) == "" })
}

func TestTheMatrixKnowsEveryPermissionAndRole(t *testing.T) {
	t.Parallel()
	known := append(slices.Clone(handedOn), "*")
	for _, held := range roles() {
		known = append(known, held...)
	}
	for _, p := range delegation.Permissions() {
		if !slices.Contains(known, string(p)) {
			t.Errorf("the permission %s is new: say in handedOn or roles who holds it", p)
		}
	}
	for _, r := range delegation.Roles() {
		if roles()[r] == nil {
			t.Errorf("the role %s is new: say in roles what it holds", r)
		}
	}
}

// admit makes a user by its events, and opens a session without its password.
func (w *world) admit(t *testing.T, name string, proof vault.Proof) party {
	t.Helper()
	id := "usr_" + strings.ReplaceAll(uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)).String(), "-", "")
	email := strings.NewReplacer(" ", "-", "*", "all", ",", "").Replace(name) + "@matrix.example"
	w.Given("", "user-"+id, user.Registered{Email: email, Name: name, Locale: "en", Credential: "cred_none"}, user.EmailVerified{Email: email})
	return party{id: id, email: email, token: w.enter(t, id, proof)}
}

func (w *world) enter(t *testing.T, user string, proof vault.Proof) string {
	t.Helper()
	secret, _, err := w.vault.OpenSession(t.Context(), user, vault.Client{IP: "192.0.2.1"}, vault.LifeOf(false), proof)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// grant makes a user act for alice's account, by the events that an invitation
// and its acceptance decide on.
func (m *matrix) grant(t *testing.T, p party, terms delegation.Terms) (id string) {
	t.Helper()
	asked := terms
	asked.ExpiresAt = nil // it may have ended by now
	id = "dlg_" + strings.TrimPrefix(p.id, "usr_")
	everything := delegation.Grants{System: true}
	events, err := delegation.Delegation{}.Invite(everything, m.alice.account, "ivt_"+p.id, p.email, asked, time.Now())
	if err != nil {
		t.Fatal(p.email, err)
	}
	d := delegation.Decider.Evolve(delegation.Delegation{}, events[0])
	accepted, err := d.Accept(d.Invitation, p.id, false, time.Now())
	if err != nil {
		t.Fatal(p.email, err)
	}
	last, ok := accepted[0].(delegation.InvitationAccepted)
	if !ok {
		t.Fatalf("%T", accepted[0])
	}
	last.ExpiresAt = terms.ExpiresAt
	m.Given(m.alice.account, "delegation-"+id, events[0], last)
	return id
}

// program makes an API token of a user by its event.
func (m *matrix) program(t *testing.T, holder, account string, until *time.Time, permissions ...domain.Permission) (id, token string) {
	t.Helper()
	id = "tok_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	token, err := m.vault.AddAPIToken(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := apitoken.Token{}.Issue(apitoken.Issued{Account: account, User: holder, Name: "matrix", Permissions: permissions}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	e, ok := issued[0].(apitoken.Issued)
	if !ok {
		t.Fatalf("%T", issued[0])
	}
	e.ExpiresAt = until
	m.Given(account, "apitoken-"+id, e)
	return id, token
}

// actor is a staff member whose session acts for alice's account.
func (m *matrix) actor(t *testing.T) *caller {
	t.Helper()
	now := time.Now()
	c := &caller{
		name: "staff support that acts for the account", role: delegation.RoleSupport, acts: true, on: m.alice.account,
		holds: slices.DeleteFunc(slices.Clone(handedOn), func(p string) bool { return slices.Contains(customersAlone, p) }),
	}
	c.party = m.admit(t, c.name, vault.Proof{StaffRights: true, PasswordAt: &now})
	m.Given("", "staff-"+c.id, staffs.Hired{Role: c.role})
	m.Settle()
	m.must(t, c.party, http.MethodPost, m.act(m.alice.account), `{"reason":"Certificate","ticket":"`+m.ticket+`"}`, http.StatusCreated)
	return c
}

// callers makes everybody who asks in the matrix.
func (m *matrix) callers(t *testing.T) []*caller {
	t.Helper()
	now := time.Now()
	past := now.Add(-time.Minute).UTC().Truncate(time.Microsecond)
	fresh := vault.Proof{PasswordAt: &now}
	account := m.alice.account
	all := []*caller{
		{name: "nobody", out: true},
		{name: "somebody without an account", party: m.admit(t, "stranger", fresh)},
		{name: "another customer", party: m.bob, owns: m.bob.account},
		{name: "the owner", party: m.alice, owns: account},
	}
	delegate := func(name string, holds []string, chosen map[string][]string, terms delegation.Terms) *caller {
		t.Helper()
		c := &caller{name: name, party: m.admit(t, name, fresh), on: account, holds: holds, chosen: chosen}
		m.delegations = append(m.delegations, m.grant(t, c.party, terms))
		all = append(all, c)
		return c
	}
	everywhere := delegation.Scope{All: true}
	give := func(scope delegation.Scope, p ...domain.Permission) delegation.Terms {
		return delegation.Terms{Permissions: p, Scope: scope}
	}
	for _, p := range handedOn {
		delegate("delegate "+p, brings(p), nil, give(everywhere, domain.Permission(p)))
	}
	delegate("delegate of everything", handedOn, nil, give(everywhere, "*"))
	one := func(kind, id string) map[string][]string { return map[string][]string{kind: {id}} }
	delegate("delegate of one service", limitedTo(), one("service", m.service), give(delegation.Scope{Services: []string{m.service}}, "*"))
	delegate("delegate of one domain", limitedTo(), one("domain", m.domain), give(delegation.Scope{Domains: []string{m.domain}}, "*"))
	delegate("delegate of one ticket", limitedTo(), one("ticket", m.ticket), give(delegation.Scope{Tickets: []string{m.ticket}}, "*"))
	delegate("delegate of one service and the invoices", append(brings("services.manage"), brings("invoices.pay")...), one("service", m.service),
		give(delegation.Scope{Services: []string{m.service}}, "services.manage", "invoices.pay"))
	delegate("delegate of one service and the users", append(brings("services.manage"), "users.manage"), one("service", m.service),
		give(delegation.Scope{Services: []string{m.service}}, "services.manage", "users.manage"))

	revoked := delegate("delegate whose grant was revoked", nil, nil, give(everywhere, "*"))
	m.Given(account, "delegation-"+m.delegations[len(m.delegations)-1], delegation.Revoked{Account: account, User: revoked.id})
	ended := give(everywhere, "*")
	ended.ExpiresAt = &past
	expired := delegate("delegate whose grant has expired", nil, nil, ended)
	narrowed := delegate("delegate whose grant was narrowed", brings("tickets.read"), nil, give(everywhere, "*"))
	m.Given(account, "delegation-"+m.delegations[len(m.delegations)-1], delegation.GrantChanged{
		Account: account, User: narrowed.id, Terms: give(everywhere, "tickets.read"),
	})
	revoked.on, expired.on = "", ""

	for _, role := range delegation.Roles() {
		for _, unproven := range []bool{false, true} {
			name := fmt.Sprintf("staff %s, unproven %v", role, unproven)
			c := &caller{name: name, party: m.admit(t, name, vault.Proof{StaffRights: !unproven, PasswordAt: &now}), role: role, unproven: unproven}
			m.Given("", "staff-"+c.id, staffs.Hired{Role: role})
			all = append(all, c)
		}
	}

	all = append(all, m.actor(t))

	token := func(name string, holder *caller, until *time.Time, holds []string, permissions ...domain.Permission) *caller {
		t.Helper()
		id, secret := m.program(t, holder.id, account, until, permissions...)
		m.tokens = append(m.tokens, id)
		c := &caller{name: name, party: party{id: holder.id, token: secret}, program: true, on: account, holds: holds, chosen: holder.chosen}
		all = append(all, c)
		return c
	}
	owner := all[3]
	noUsers := func(all []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(p string) bool { return p == "users.manage" })
	}
	for _, p := range noUsers(handedOn) {
		token("token "+p, owner, nil, brings(p), domain.Permission(p))
	}
	token("token of everything", owner, nil, noUsers(handedOn), "*")
	token("token of everything of a narrowed delegate", narrowed, nil, brings("tickets.read"), "*")
	token("token of everything of a delegate of one service", all[slices.IndexFunc(all, func(c *caller) bool { return c.name == "delegate of one service" })],
		nil, limitedTo(), "*")
	token("token of a revoked delegate", revoked, nil, nil, "*").on = ""
	token("token that has expired", owner, &past, nil, "*").out = true
	gone := token("token that was revoked", owner, nil, nil, "*")
	gone.out = true
	m.Given(account, "apitoken-"+m.tokens[len(m.tokens)-1], apitoken.Revoked{Account: account, User: owner.id})

	left := &caller{name: "a session that has ended", party: m.admit(t, "left", fresh), out: true}
	m.grant(t, left.party, give(everywhere, "*"))
	if err := m.vault.EndSessions(t.Context(), left.id, ""); err != nil {
		t.Fatal(err)
	}
	return append(all, left)
}
