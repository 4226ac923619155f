package http_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/http/portal"
)

// pageExpectations has every page: those of an account by what follows its id.
// It says of them what expectations says of operations. One that is missing here
// fails the test.
func pageExpectations() map[string]expectation {
	const users domain.Permission = "staff.users.read"
	all := map[string]expectation{
		"GET /":                            {needs: knowing},
		"GET /services":                    {needs: delegation.ServicesRead},
		"GET /services/{id}":               {needs: delegation.ServicesRead, of: "service"},
		"POST /services/{id}/label":        {needs: delegation.ServicesManage, of: "service"},
		"GET /domains":                     {needs: delegation.DomainsRead},
		"GET /domains/{name}":              {needs: delegation.DomainsRead, of: "domainName"},
		"POST /domains/{name}/contacts":    {needs: delegation.DomainsManage, also: []domain.Permission{delegation.ContactsManage}, of: "domain"},
		"GET /contacts":                    {needs: delegation.ContactsManage, or: []domain.Permission{delegation.StaffUsersRead}},
		"GET /contacts/new":                {needs: delegation.ContactsManage},
		"POST /contacts":                   {needs: delegation.ContactsManage},
		"GET /contacts/{id}":               {needs: delegation.ContactsManage, or: []domain.Permission{delegation.StaffUsersRead}, of: "contact"},
		"POST /contacts/{id}":              {needs: delegation.ContactsManage, of: "contact"},
		"POST /contacts/{id}/archive":      {needs: delegation.ContactsManage, of: "contact"},
		"POST /contacts/{id}/verification": {needs: delegation.ContactsManage, of: "contact"},
		"GET /invoices":                    {needs: delegation.InvoicesRead},
		"GET /invoices/{id}":               {needs: delegation.InvoicesRead, of: "invoice"},
		"GET /tickets":                     {needs: delegation.TicketsRead},
		"POST /tickets":                    {needs: delegation.TicketsWrite, adds: true},
		"GET /tickets/{id}":                {needs: delegation.TicketsRead, of: "ticket"},
		"POST /tickets/{id}/replies":       {needs: delegation.TicketsWrite, of: "ticket"},
		"POST /tickets/{id}/close":         {needs: delegation.TicketsWrite, of: "ticket"},
		"POST /tickets/{id}/reopen":        {needs: delegation.TicketsWrite, of: "ticket"},
		"GET /account":                     {needs: delegation.ProfileRead},
		"POST /account":                    {needs: delegation.ProfileWrite},
		"GET /impersonation":               {needs: delegation.StaffImpersonate},
		"POST /impersonation":              {needs: delegation.StaffImpersonate},
		"POST /impersonation/end":          {needs: delegation.StaffImpersonate},
		"GET /transfer":                    {needs: delegation.Owner},
		"POST /transfer":                   {needs: delegation.Owner},
		"POST /transfer/{id}/withdraw":     {needs: delegation.Owner, of: "transfer"},
		"GET /users":                       {needs: delegation.UsersManage, or: []domain.Permission{users}},
		"POST /users":                      {needs: delegation.UsersManage},
		"GET /users/{id}":                  {needs: delegation.UsersManage, or: []domain.Permission{users}, of: "delegated"},
		"POST /users/{id}":                 {needs: delegation.UsersManage, of: "delegated"},
		"POST /users/{id}/revoke":          {needs: delegation.UsersManage, of: "delegated"},
		"POST /users/{id}/resend":          {needs: delegation.UsersManage, of: "delegated"},
		"GET /leave":                       {needs: delegation.Member},
		"POST /leave":                      {needs: delegation.Member},
		"GET /tokens":                      {needs: delegation.Member},
		"POST /tokens":                     {needs: delegation.Member},
		"POST /tokens/{id}/revoke":         {needs: delegation.Member, of: "apiToken"},
		"GET /history":                     {needs: delegation.UsersManage, or: []domain.Permission{users}},
		"GET /notifications":               {needs: delegation.NotificationsRead},
		"POST /notifications/read":         {needs: delegation.NotificationsMark},
		"POST /notifications/{id}/read":    {needs: delegation.NotificationsMark, of: "notification"},
		"GET /tickets/new":                 {needs: knowing},
		"GET /users/new":                   {needs: delegation.UsersManage},
		"GET /accounts":                    {needs: knowing},
		"GET /news":                        {needs: knowing},
		"GET /news/{id}":                   {needs: knowing},

		// The payer.
		"GET /billing":         {needs: delegation.ProfileRead},
		"POST /billing":        {needs: delegation.ProfileWrite},
		"GET /communication":   {needs: delegation.ProfileRead},
		"POST /communication":  {needs: delegation.ProfileWrite},
		"GET /close":           {needs: delegation.Owner},
		"POST /close":          {needs: delegation.Owner},
		"POST /close/withdraw": {needs: delegation.Owner},

		// Before an account.
		"GET /portal":                 {needs: delegation.SignedIn},
		"GET /portal/login":           {needs: delegation.Anyone},
		"POST /portal/login":          {needs: delegation.Anyone},
		"POST /portal/logout":         {needs: delegation.Anyone},
		"POST /portal/theme":          {needs: delegation.Anyone},
		"GET /portal/sign-up":         {needs: delegation.Anyone},
		"POST /portal/sign-up":        {needs: delegation.Anyone},
		"GET /portal/verify-email":    {needs: delegation.Anyone},
		"POST /portal/verify-email":   {needs: delegation.Anyone},
		"GET /portal/verify-contact":  {needs: delegation.Anyone},
		"POST /portal/verify-contact": {needs: delegation.Anyone},
		"GET /portal/forgot-password": {needs: delegation.Anyone},

		"POST /portal/forgot-password": {needs: delegation.Anyone},
		"GET /portal/reset-password":   {needs: delegation.Anyone},
		"POST /portal/reset-password":  {needs: delegation.Anyone},
		"GET /portal/stop-reset":       {needs: delegation.Anyone},
		"POST /portal/stop-reset":      {needs: delegation.Anyone},
		"GET /portal/invitation":       {needs: delegation.Anyone},
		"POST /portal/invitation":      {needs: delegation.Anyone},
		"GET /portal/transfer":         {needs: delegation.Anyone},
		"POST /portal/transfer":        {needs: delegation.Anyone},
		"GET /portal/open-account":     {needs: delegation.SignedIn},
		"POST /portal/open-account":    {needs: delegation.SignedIn},

		// Staff.
		"GET /portal/staff/":                                {needs: delegation.StaffAccountsRead},
		"GET /portal/staff/users":                           {needs: delegation.StaffAccounts},
		"GET /portal/staff/users/{id}":                      {needs: delegation.StaffAccounts, of: "user"},
		"POST /portal/staff/users/{id}/factor-reset":        {needs: delegation.StaffAccounts, of: "user"},
		"POST /portal/staff/users/{id}/factor-reset/cancel": {needs: delegation.StaffAccounts, of: "user"},
		"GET /portal/staff/members":                         {needs: delegation.StaffMembers},
		"POST /portal/staff/members":                        {needs: delegation.StaffMembers},
		"GET /portal/staff/members/{id}":                    {needs: delegation.StaffMembers, of: "member"},
		"POST /portal/staff/members/{id}":                   {needs: delegation.StaffMembers, of: "member"},
		"POST /portal/staff/members/{id}/deactivate":        {needs: delegation.StaffMembers, of: "member"},
	}
	// A log-in's own pages are there beside each account's, and by themselves.
	for at, of := range map[string]string{
		"GET /confirm": "", "POST /confirm": "", "GET /profile": "", "POST /profile": "", "GET /password": "", "POST /password": "",
		"GET /email": "", "POST /email": "", "POST /email/resend": "",
		"GET /security": "", "GET /security/logins": "", "GET /security/inspections": "", "GET /security/close": "", "POST /security/close": "",
		"POST /security/sessions/{id}/end": "session",
		"GET /data":                        "", "GET /data/erasure": "", "POST /data/erasure": "", "POST /data/erasure/withdraw": "",
		"GET /security/second-factor": "", "POST /security/second-factor/keep": "",
		"GET /security/totp": "", "POST /security/totp": "", "POST /security/totp/confirm": "",
		"GET /security/totp/off": "", "POST /security/totp/off": "", "POST /security/recovery-codes": "",
		"GET /security/passkeys/new": "", "POST /security/passkeys/new": "",
		"GET /security/passkeys/{id}/name": "passkey", "POST /security/passkeys/{id}/name": "passkey",
		"GET /security/passkeys/{id}/remove": "passkey", "POST /security/passkeys/{id}/remove": "passkey",
	} {
		all[at] = expectation{needs: knowing, of: of}
		method, path, _ := strings.Cut(at, " ")
		all[method+" /portal/me"+path] = expectation{needs: delegation.SignedIn, of: of}
	}
	all["GET /portal/me/"] = expectation{needs: delegation.SignedIn}
	return all
}

// leadOn only lead to other pages; what is under /portal/assets/ is no page.
var leadOn = []string{"GET /", "GET /login"}

// sample reports whether a caller is one of those that look at pages and ask with
// HEAD, too: some of each sort.
func sample(c *caller) bool {
	single := strings.HasPrefix(c.name, "delegate ") && len(strings.Fields(c.name)) == 2 || c.program
	return !single || slices.Contains([]string{
		"delegate profile.read", "delegate users.manage", "delegate services.manage", "delegate domains.read", "delegate invoices.read",
		"delegate tickets.write", "delegate notifications.read", "delegate wallet.read", "token services.read",
	}, c.name)
}

// visit asks for every page. Forms are sent by those whom they
// are to refuse: a page knows no revision that would keep the others from
// changing something.
func (m *matrix) visit(t *testing.T, everybody []*caller) {
	t.Helper()
	questions := make(chan question)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for q := range questions {
				m.look(t, q)
			}
		})
	}
	known := 0
	for _, page := range pagesOf(t, portal.New(portal.Config{Config: config(), Zone: time.UTC})) {
		at, ofAccount := strings.CutPrefix(page.template, "/portal/{account}")
		accounts := []string{""}
		if ofAccount {
			accounts = []string{m.alice.account, m.bob.account}
		}
		if at == "/stream" || !ofAccount && (slices.Contains(leadOn, page.method+" "+at) || strings.HasPrefix(at, "/portal/assets/")) {
			continue
		}
		e, listed := pageExpectations()[page.method+" "+at]
		if !listed {
			t.Errorf("%s %s is new: say in pageExpectations who may see it", page.method, page.template)
			continue
		}
		known++
		for _, c := range everybody {
			if !sample(c) {
				continue
			}
			for _, account := range accounts {
				things := []thing{{id: m.news}}
				if e.of != "" {
					things = m.things(e.of, account)
				}
				for _, of := range things {
					q := question{by: c, e: e, method: page.method, template: page.template, account: account, of: of}
					q.path = strings.NewReplacer("{account}", account, "{id}", of.id, "{name}", of.id).Replace(page.template)
					if q.method == http.MethodGet || m.expectPage(q) != carriedOut {
						questions <- q
					}
				}
			}
		}
	}
	close(questions)
	wg.Wait()
	if known != len(pageExpectations()) {
		t.Errorf("%d of %d pages exist", known, len(pageExpectations()))
	}
}

// expectPage is expect for a page. A program has no cookie, and staff are told
// of what they lack before anything else.
func (m *matrix) expectPage(q question) outcome {
	if q.by.program && q.e.who() != anyone {
		return loggedOut
	}
	want := m.expect(q.by, q.e, q.template, q.account, q.of)
	if want == unproven || want == outOfReach {
		return denied
	}
	return want
}

// filledIn is a form that every page takes.
const filledIn = "label=new&message=new&subject=new&department=technical&priority=normal&name=new&country=FR&kind=individual&locale=en" +
	"&email=new%40matrix.example&rights=chosen&permissions=tickets.read&reach=all"

// look asks for a page, and judges it.
func (m *matrix) look(t *testing.T, q question) {
	t.Helper()
	m.asked.Add(1)
	form := ""
	if q.method == http.MethodPost {
		form = filledIn
	}
	a := raw(m.handler, q.method, q.path, form, "Cookie", "hostfold_session="+q.by.token, "Content-Type", "application/x-www-form-urlencoded")
	got, want := carriedOut, m.expectPage(q)
	switch {
	case a.status == http.StatusSeeOther && strings.HasPrefix(a.header.Get("Location"), "/portal/login"):
		got = loggedOut
	case a.status == http.StatusSeeOther && q.by.unproven && strings.HasPrefix(a.header.Get("Location"), "/portal/me/"):
		got = denied // and led to the second factor that it lacks
	case a.status == http.StatusForbidden:
		got = denied
	case a.status == http.StatusNotFound:
		got = missing
	case a.status >= 500:
		got = outcome(a.body)
	}
	switch {
	case q.template == "/portal/open-account" && q.by.role != "" && want == carriedOut:
		want = denied // staff are no customers
	case q.e.of == "session" && q.by.name == "the owner" && got == denied && want == missing:
		got = want // the owner has a passkey, and shows it before a session is looked for
	case q.by.unproven && (got == denied || got == missing) && want != carriedOut:
		got = want
	case got == missing && want == denied && (q.method == http.MethodPost || q.e.adds && q.by.chosen != nil):
		got = want // there is no page to show the form on again, or nothing to add
	case q.e.who() == member && want == carriedOut && q.template != "/portal/{account}/":
		if got == missing || got == denied {
			got = want // a thing of the page's own may not be there
		}
	}
	if got != want {
		t.Errorf("%s: %s %s answered %d %s, not %s", q.by.name, q.method, q.path, a.status, a.header.Get("Location"), want)
	}
	if q.template != "/portal/{account}/history" { // it names the streams of acts, as judged by its own tests
		m.judge(t, q, a)
	}
}
