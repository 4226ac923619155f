package http_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
)

// audience is who may use a route.
type audience int

const (
	anyone   audience = iota + 1 // needs no log-in
	member                       // any user, for its own things
	customer                     // who holds the account in the path, and staff who read
	staff                        // staff alone
)

// knowing is the need of a route that shows each caller who knows the account
// what that caller may see of it.
const knowing domain.Permission = "knowing"

// expectation is what the access tests know of an operation. The matrix
// (matrix_test.go) makes of it what every caller is answered.
type expectation struct {
	// needs is the permission that the operation asks for; one of or does as well.
	needs domain.Permission
	or    []domain.Permission
	// also are permissions that it needs beside.
	also []domain.Permission
	// of is the kind of thing that the path names beside the account, "" for none.
	of string
	// adds is true when the operation makes another one of a kind of which a
	// delegate may hold chosen ones.
	adds bool
	// body is one that the route takes.
	body string
}

func (e expectation) who() audience {
	switch {
	case e.needs == delegation.Anyone:
		return anyone
	case e.needs == delegation.SignedIn, e.needs == delegation.Self, e.needs == knowing:
		return member
	case strings.HasPrefix(string(e.needs), "staff."):
		return staff
	}
	return customer
}

// expectations has every operation of the contract, one a line. One that is
// missing here fails the test.
func expectations() map[string]expectation {
	session := `{"email":"nobody@example.com","password":"nothing"}`
	return map[string]expectation{
		"POST /v1/users":                   {needs: delegation.Anyone, body: `{"email":"new@example.com","password":"` + password + `","name":"New","locale":"fr"}`},
		"POST /v1/users/verify-email":      {needs: delegation.Anyone, body: `{"token":"x"}`},
		"POST /v1/users/stop-factor-reset": {needs: delegation.Anyone, body: `{"token":"x"}`},
		"POST /v1/sessions":                {needs: delegation.Anyone, body: session},
		"POST /v1/password-resets":         {needs: delegation.Anyone, body: `{"email":"nobody@example.com"}`},
		"POST /v1/password-resets/confirm": {needs: delegation.Anyone, body: `{"token":"x","password":"` + password + `"}`},
		"GET /v1/products":                 {needs: delegation.Anyone},
		"GET /v1/products/{id}":            {needs: delegation.Anyone, of: "product"},
		"GET /v1/news":                     {needs: delegation.Anyone},
		"GET /v1/news/{id}":                {needs: delegation.Anyone, of: "news"},

		// Who is signed in.
		"DELETE /v1/sessions/current":       {needs: delegation.SignedIn},
		"GET /v1/me":                        {needs: delegation.Self},
		"PATCH /v1/me":                      {needs: delegation.Self, body: `{"name":"New"}`},
		"GET /v1/me/sessions":               {needs: delegation.SignedIn},
		"DELETE /v1/me/sessions/{id}":       {needs: delegation.SignedIn, of: "session"},
		"GET /v1/me/logins":                 {needs: delegation.SignedIn},
		"POST /v1/me/email-verification":    {needs: delegation.Self},
		"POST /v1/me/email":                 {needs: delegation.Self, body: `{"email":"bob.new@example.com","password":"` + password + `"}`},
		"POST /v1/me/password":              {needs: delegation.Self, body: `{"current":"wrong","new":"` + password + `"}`},
		"POST /v1/me/close":                 {needs: delegation.Self, body: `{"password":"` + password + `"}`},
		"POST /v1/sessions/passkey-options": {needs: delegation.Anyone},

		// Second factors.
		"POST /v1/me/totp":                          {needs: delegation.Self},
		"POST /v1/me/totp/confirm":                  {needs: delegation.Self, body: `{"code":"000000"}`},
		"POST /v1/me/totp/disable":                  {needs: delegation.Self, body: `{"code":"000000"}`},
		"POST /v1/me/recovery-codes":                {needs: delegation.Self, body: `{"code":"000000"}`},
		"POST /v1/me/confirmations":                 {needs: delegation.Self, body: `{"password":"wrong"}`},
		"POST /v1/me/confirmations/passkey-options": {needs: delegation.Self},
		"GET /v1/me/passkeys":                       {needs: delegation.SignedIn},
		"POST /v1/me/passkeys":                      {needs: delegation.SignedIn, body: `{"challenge":"x","name":"x","passkey":{}}`},
		"POST /v1/me/passkeys/options":              {needs: delegation.Self},
		"DELETE /v1/me/passkeys/{id}":               {needs: delegation.Self, of: "passkey"},
		"DELETE /v1/me/factor-reset":                {needs: delegation.Self},

		// Users, for staff.
		"GET /v1/staff/users":        {needs: delegation.StaffAccounts},
		"GET /v1/staff/users/{user}": {needs: delegation.StaffAccounts, of: "user"},

		// What a user may take back or call otherwise.
		"PATCH /v1/me/passkeys/{id}": {needs: delegation.Self, of: "passkey", body: `{"name":"New"}`},
		"DELETE /v1/me/erasure":      {needs: delegation.Self},

		// Accounts.
		"GET /v1/me/accounts":                  {needs: delegation.SignedIn},
		"POST /v1/accounts":                    {needs: delegation.SignedIn, body: `{"name":"New","kind":"individual","country":"FR","currency":"EUR"}`},
		"GET /v1/events":                       {needs: knowing},
		"GET /v1/accounts/{account}":           {needs: delegation.ProfileRead},
		"PATCH /v1/accounts/{account}":         {needs: delegation.ProfileWrite, body: `{"name":"New"}`},
		"GET /v1/accounts/{account}/dashboard": {needs: delegation.ProfileRead, or: []domain.Permission{delegation.ServicesRead, delegation.DomainsRead, delegation.InvoicesRead, delegation.TicketsRead, delegation.NotificationsRead}},

		// The payer.
		"POST /v1/accounts/{account}/closing":         {needs: delegation.Owner},
		"DELETE /v1/accounts/{account}/closing":       {needs: delegation.Owner},
		"POST /v1/staff/accounts/{account}/reopen":    {needs: delegation.StaffAccounts},
		"GET /v1/accounts/{account}/billing-identity": {needs: delegation.ProfileRead},
		"PUT /v1/accounts/{account}/billing-identity": {needs: delegation.ProfileWrite, body: `{"kind":"individual","name":"New","country":"FR","address":{"line1":"x","postal_code":"75002","city":"Paris"}}`},

		// Services and domain names.
		"GET /v1/accounts/{account}/services":        {needs: delegation.ServicesRead},
		"GET /v1/accounts/{account}/services/{id}":   {needs: delegation.ServicesRead, of: "service"},
		"PATCH /v1/accounts/{account}/services/{id}": {needs: delegation.ServicesManage, of: "service", body: `{"label":"new"}`},
		"GET /v1/accounts/{account}/domains":         {needs: delegation.DomainsRead},
		"GET /v1/accounts/{account}/domains/{name}":  {needs: delegation.DomainsRead, of: "domainName"},

		// Contacts of domains.
		"PUT /v1/accounts/{account}/domains/{name}/contacts":     {needs: delegation.DomainsManage, also: []domain.Permission{delegation.ContactsManage}, of: "domain", body: `{"owner":"ctc_1"}`},
		"GET /v1/accounts/{account}/contacts":                    {needs: delegation.ContactsManage, or: []domain.Permission{delegation.StaffUsersRead}},
		"POST /v1/accounts/{account}/contacts":                   {needs: delegation.ContactsManage, body: contactBody},
		"GET /v1/accounts/{account}/contacts/{id}":               {needs: delegation.ContactsManage, or: []domain.Permission{delegation.StaffUsersRead}, of: "contact"},
		"PATCH /v1/accounts/{account}/contacts/{id}":             {needs: delegation.ContactsManage, of: "contact", body: `{"name":"New"}`},
		"DELETE /v1/accounts/{account}/contacts/{id}":            {needs: delegation.ContactsManage, of: "contact"},
		"POST /v1/accounts/{account}/contacts/{id}/verification": {needs: delegation.ContactsManage, of: "contact"},
		"POST /v1/contacts/verify-email":                         {needs: delegation.Anyone, body: `{"token":"x"}`},

		// Invoices.
		"GET /v1/accounts/{account}/invoices":          {needs: delegation.InvoicesRead},
		"GET /v1/accounts/{account}/invoices/{id}":     {needs: delegation.InvoicesRead, of: "invoice"},
		"GET /v1/accounts/{account}/credit-notes":      {needs: delegation.InvoicesRead},
		"GET /v1/accounts/{account}/credit-notes/{id}": {needs: delegation.InvoicesRead, of: "creditNote"},

		// Tickets and notifications.
		"GET /v1/accounts/{account}/tickets":                  {needs: delegation.TicketsRead},
		"POST /v1/accounts/{account}/tickets":                 {needs: delegation.TicketsWrite, adds: true, body: ticketBody},
		"GET /v1/accounts/{account}/tickets/{id}":             {needs: delegation.TicketsRead, of: "ticket"},
		"POST /v1/accounts/{account}/tickets/{id}/replies":    {needs: delegation.TicketsWrite, of: "ticket", body: `{"message":"new"}`},
		"POST /v1/accounts/{account}/tickets/{id}/close":      {needs: delegation.TicketsWrite, of: "ticket"},
		"POST /v1/accounts/{account}/tickets/{id}/reopen":     {needs: delegation.TicketsWrite, of: "ticket"},
		"GET /v1/accounts/{account}/notifications":            {needs: delegation.NotificationsRead},
		"POST /v1/accounts/{account}/notifications/{id}/read": {needs: delegation.NotificationsMark, of: "notification"},
		"POST /v1/accounts/{account}/notifications/read-all":  {needs: delegation.NotificationsMark},

		// Delegation, history and tokens.
		"POST /v1/delegations/accept":                         {needs: delegation.SignedIn, body: `{"token":"none"}`},
		"POST /v1/delegations/decline":                        {needs: delegation.SignedIn, body: `{"token":"none"}`},
		"GET /v1/accounts/{account}/delegations":              {needs: delegation.UsersManage, or: []domain.Permission{"staff.users.read"}},
		"POST /v1/accounts/{account}/delegations":             {needs: delegation.UsersManage, body: `{"email":"new@example.com","permissions":["profile.read"],"scope":{}}`},
		"GET /v1/accounts/{account}/delegations/{id}":         {needs: delegation.UsersManage, or: []domain.Permission{"staff.users.read"}, of: "delegated"},
		"PATCH /v1/accounts/{account}/delegations/{id}":       {needs: delegation.UsersManage, of: "delegated", body: `{"permissions":["*"]}`},
		"DELETE /v1/accounts/{account}/delegations/{id}":      {needs: delegation.UsersManage, of: "delegated"},
		"POST /v1/accounts/{account}/delegations/{id}/resend": {needs: delegation.UsersManage, of: "delegated"},
		"GET /v1/accounts/{account}/history":                  {needs: delegation.UsersManage, or: []domain.Permission{"staff.users.read"}},
		"GET /v1/accounts/{account}/api-tokens":               {needs: delegation.Member},
		"POST /v1/accounts/{account}/api-tokens":              {needs: delegation.Member, body: `{"name":"new","permissions":["*"]}`},
		"DELETE /v1/accounts/{account}/api-tokens/{id}":       {needs: delegation.Member, of: "apiToken"},

		// Ownership.
		"GET /v1/accounts/{account}/ownership-transfers":         {needs: delegation.Owner},
		"POST /v1/accounts/{account}/ownership-transfers":        {needs: delegation.Owner, body: `{"email":"new@example.com"}`},
		"DELETE /v1/accounts/{account}/ownership-transfers/{id}": {needs: delegation.Owner, of: "transfer"},
		"POST /v1/accounts/{account}/leave":                      {needs: delegation.Member},
		"POST /v1/ownership-transfers/preview":                   {needs: delegation.SignedIn, body: `{"token":"none"}`},
		"POST /v1/ownership-transfers/accept":                    {needs: delegation.SignedIn, body: `{"token":"none"}`},
		"POST /v1/ownership-transfers/decline":                   {needs: delegation.SignedIn, body: `{"token":"none"}`},

		// What a link invites to.
		"POST /v1/delegations/preview": {needs: delegation.SignedIn, body: `{"token":"none"}`},

		// Staff.
		"GET /v1/staff/accounts":                                         {needs: delegation.StaffAccountsRead},
		"GET /v1/staff/members":                                          {needs: delegation.StaffMembers},
		"POST /v1/staff/accounts/{account}/impersonation":                {needs: delegation.StaffImpersonate, body: `{"reason":"x","ticket":"tkt_1"}`},
		"GET /v1/staff/accounts/{account}/impersonation":                 {needs: delegation.StaffImpersonate},
		"DELETE /v1/staff/accounts/{account}/impersonation":              {needs: delegation.StaffImpersonate},
		"POST /v1/staff/members":                                         {needs: delegation.StaffMembers, body: `{"email":"nobody@example.com","role":"support"}`},
		"GET /v1/staff/members/{id}":                                     {needs: delegation.StaffMembers, of: "member"},
		"PATCH /v1/staff/members/{id}":                                   {needs: delegation.StaffMembers, of: "member", body: `{"role":"support"}`},
		"DELETE /v1/staff/members/{id}":                                  {needs: delegation.StaffMembers, of: "member"},
		"POST /v1/staff/users/{user}/lock":                               {needs: delegation.StaffAccounts, of: "user", body: `{"reason":"x"}`},
		"POST /v1/staff/users/{user}/unlock":                             {needs: delegation.StaffAccounts, of: "user"},
		"POST /v1/staff/users/{user}/factor-reset":                       {needs: delegation.StaffAccounts, of: "user", body: `{"reason":"x"}`},
		"DELETE /v1/staff/users/{user}/factor-reset":                     {needs: delegation.StaffAccounts, of: "user"},
		"POST /v1/staff/accounts/{account}/invoices":                     {needs: delegation.StaffBilling, body: invoiceBody},
		"POST /v1/staff/accounts/{account}/invoices/{id}/lines":          {needs: delegation.StaffBilling, of: "invoice", body: `{"description":"x","quantity":"1","unit_price":{"amount":"1.00","currency":"EUR"},"vat_rate":"20"}`},
		"DELETE /v1/staff/accounts/{account}/invoices/{id}/lines/{line}": {needs: delegation.StaffBilling, of: "invoice"},
		"DELETE /v1/staff/accounts/{account}/invoices/{id}":              {needs: delegation.StaffBilling, of: "invoice"},
		"POST /v1/staff/accounts/{account}/invoices/{id}/issue":          {needs: delegation.StaffBilling, of: "invoice"},
		"POST /v1/staff/accounts/{account}/invoices/{id}/credit":         {needs: delegation.StaffBilling, of: "invoice", body: `{"reason":"x"}`},
		"POST /v1/staff/accounts/{account}/invoices/{id}/payments":       {needs: delegation.StaffBilling, of: "invoice", body: `{"amount":{"amount":"1.00","currency":"EUR"},"reference":"x","received_on":"2026-01-05"}`},
		"POST /v1/staff/accounts/{account}/services":                     {needs: delegation.StaffServices, adds: true, body: `{"product":"prd_1","label":"x","cycle":"monthly"}`},
		"POST /v1/staff/accounts/{account}/services/{id}/activate":       {needs: delegation.StaffServices, of: "service"},
		"POST /v1/staff/accounts/{account}/services/{id}/suspend":        {needs: delegation.StaffServices, of: "service", body: `{"reason":"overdue"}`},
		"POST /v1/staff/accounts/{account}/services/{id}/lift":           {needs: delegation.StaffServices, of: "service", body: `{"reason":"overdue"}`},
		"POST /v1/staff/accounts/{account}/domains":                      {needs: delegation.StaffServices, adds: true, body: `{"name":"new.example","registered_on":"2026-01-02","expires_on":"2027-01-02"}`},
		"POST /v1/staff/products":                                        {needs: delegation.StaffServices, body: productBody("new")},
		"POST /v1/staff/news":                                            {needs: delegation.StaffContent, body: `{"title":"x","body":"x"}`},
		"GET /v1/staff/tickets":                                          {needs: delegation.StaffSupport},
		"GET /v1/staff/tickets/{id}":                                     {needs: delegation.StaffSupport, of: "ticket"},
		"POST /v1/staff/tickets/{id}/replies":                            {needs: delegation.StaffSupport, of: "ticket", body: `{"message":"x"}`},
		"POST /v1/staff/tickets/{id}/close":                              {needs: delegation.StaffSupport, of: "ticket"},

		// Who looked at raw history.
		"GET /v1/me/inspections":                 {needs: delegation.Self},
		"GET /v1/staff/members/{id}/inspections": {needs: delegation.StaffMembers, of: "member"},

		// Privacy and audit.
		"GET /v1/me/export":                      {needs: delegation.Self},
		"GET /v1/accounts/{account}/export":      {needs: delegation.Owner},
		"POST /v1/me/erasure":                    {needs: delegation.Self, body: `{"password":"not the right one"}`},
		"GET /v1/me/erasure":                     {needs: delegation.Self},
		"POST /v1/staff/users/{id}/erasure":      {needs: delegation.StaffPrivacy, of: "user"},
		"GET /v1/staff/users/{id}/erasure":       {needs: delegation.StaffPrivacy, of: "user"},
		"POST /v1/staff/users/{id}/legal-hold":   {needs: delegation.StaffPrivacy, of: "user", body: `{"reference":"2026/17"}`},
		"DELETE /v1/staff/users/{id}/legal-hold": {needs: delegation.StaffPrivacy, of: "user"},
		"GET /v1/audit/streams/{stream}":         {needs: delegation.StaffAudit, of: "stream"},
		"GET /v1/audit/events":                   {needs: delegation.StaffAudit},
	}
}

// routes are those of the published document, "METHOD /path".
func routes(t *testing.T, h http.Handler) []string {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			Security []any `json:"security"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(get(t, h, "/openapi.json").body, &doc); err != nil {
		t.Fatal(err)
	}
	var all []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			name := strings.ToUpper(method) + " " + path
			all = append(all, name)
			if e, known := expectations()[name]; known && (e.who() == anyone) != (len(op.Security) == 0) {
				t.Errorf("%s: the document says security %v", name, op.Security)
			}
		}
	}
	slices.Sort(all)
	return all
}

func TestEveryRouteHasAnExpectation(t *testing.T) {
	t.Parallel()
	documented := routes(t, begin(t).handler)
	known := slices.Sorted(maps.Keys(expectations()))
	for _, route := range documented {
		if !slices.Contains(known, route) {
			t.Errorf("%s is new: say in expectations who may use it", route)
		}
	}
	for _, route := range known {
		if !slices.Contains(documented, route) {
			t.Errorf("%s is not in the document", route)
		}
	}
}

// fill puts an account and alice's ids into a route's path.
func (s *scene) fill(path, account string) []string {
	path = strings.ReplaceAll(path, "{account}", account)
	path = strings.ReplaceAll(path, "{name}", s.domainName)
	path = strings.ReplaceAll(path, "{line}", "1")
	path = strings.ReplaceAll(path, "{user}", s.alice.id)
	path = strings.ReplaceAll(path, "{stream}", "hosting-"+s.service)
	if !strings.Contains(path, "{id}") {
		return []string{path}
	}
	var all []string
	for _, id := range []string{s.service, s.draft, s.invoice, s.creditNote, s.ticket, s.notification, s.session, s.contact} {
		all = append(all, strings.ReplaceAll(path, "{id}", id))
	}
	return all
}

// methods are those that a documented one brings.
func methods(documented string) []string {
	if documented == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{documented}
}

func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	s := set(t)
	all := routes(t, s.handler)
	before := s.Checksums()
	for _, route := range all {
		e := expectations()[route]
		method, template, _ := strings.Cut(route, " ")
		ask := func(as party, account string) {
			t.Helper()
			for _, path := range s.fill(template, account) {
				for _, method := range methods(method) {
					a := s.do(t, as, method, path, e.body)
					if told := s.leaks(a, path); len(told) > 0 {
						t.Errorf("%s %s tells %v: %d %s", method, path, told, a.status, a.body)
					}
					if want := s.refusal(e, as, account, template); !slices.Contains(want, a.status) {
						t.Errorf("%s %s answered %d, not one of %v: %s", method, path, a.status, want, a.body)
					}
				}
			}
		}
		if route == "DELETE /v1/sessions/current" {
			// It would end the session that the next routes are asked with.
			if a := s.do(t, nobody, method, template, ""); a.status != 401 {
				t.Errorf("nobody logs out: %d", a.status)
			}
			continue
		}
		ask(nobody, s.alice.account)
		ask(s.bob, s.alice.account)
		if !strings.HasSuffix(template, "/closing") { // which would leave nothing to ask of the account
			ask(s.bob, s.bob.account)
		}
		ask(s.bob, "acc_none")
	}
	s.Settle()
	s.unchanged(t, before)
}

// refusal are the statuses that a route may answer a party that is not alice
// and that asks for alice's things.
func (s *scene) refusal(e expectation, as party, account, template string) []int {
	others := strings.Contains(template, "{account}") && account != s.bob.account
	switch {
	case e.who() == anyone:
		return []int{200, 201, 202, 401, 404, 409, 422, 429}
	case as.token == "":
		return []int{401}
	case others:
		return []int{404}
	case e.who() == staff:
		return []int{403}
	case template == "/v1/me/erasure":
		return []int{404, 409, 422} // nothing was asked for; the password is another's
	case strings.Contains(template, "{id}"), strings.Contains(template, "{name}"):
		return []int{404}
	case strings.HasSuffix(template, "/leave"):
		return []int{409} // bob owns it
	case strings.HasPrefix(template, "/v1/me/close"):
		return []int{409} // bob owns an account
	case strings.HasPrefix(template, "/v1/me/"):
		return []int{200, 201, 202, 409, 422, 429} // bob has no second factor
	}
	return []int{200, 201, 202, 422, 429}
}

// unchanged fails when a stranger's requests changed anything of alice's.
func (s *scene) unchanged(t *testing.T, before map[string]string) {
	t.Helper()
	after := s.Checksums()
	for _, table := range []string{"read.service", "read.domain_name", "read.invoice", "read.credit_note", "read.notification"} {
		if before[table] == "" || before[table] != after[table] {
			t.Errorf("%s changed: %q, then %q", table, before[table], after[table])
		}
	}
	shown := s.must(t, s.alice, http.MethodGet, "/v1/accounts/"+s.alice.account+"/tickets/"+s.ticket, "", 200)
	if shown.header.Get("ETag") != `"0"` {
		t.Errorf("the ticket changed: %s", shown.body)
	}
	shown = s.must(t, s.alice, http.MethodGet, "/v1/accounts/"+s.alice.account+"/contacts/"+s.contact, "", 200)
	if shown.header.Get("ETag") != `"2"` {
		t.Errorf("the contact changed: %s", shown.body)
	}
}

// TestCursorsTellNothing takes alice's cursors to bob's lists and to the feed.
func TestCursorsTellNothing(t *testing.T) {
	t.Parallel()
	s := set(t)
	walked := 0
	for _, route := range routes(t, s.handler) {
		path, isRead := strings.CutPrefix(route, "GET ")
		e := expectations()[route]
		if !isRead || e.who() != customer || strings.Contains(path, "{id}") {
			continue
		}
		if strings.HasSuffix(path, "/{account}") || strings.HasSuffix(path, "/dashboard") || strings.HasSuffix(path, "/billing-identity") || strings.HasSuffix(path, "/export") || strings.Contains(path, "{name}") {
			continue // no list
		}
		first := s.must(t, s.alice, http.MethodGet, strings.ReplaceAll(path, "{account}", s.alice.account)+"?limit=1", "", 200)
		cursor, ok := first.fields(t)["next_cursor"].(string)
		if !ok {
			continue // one item is all there is
		}
		walked++
		own := strings.ReplaceAll(path, "{account}", s.bob.account) + "?limit=1&cursor=" + cursor
		a := s.must(t, s.bob, http.MethodGet, own, "", 200)
		if told := s.leaks(a, own); len(told) > 0 || len(a.items(t)) > 0 && !strings.Contains(path, "/history") { // bob opened an account
			t.Errorf("%s tells %v: %s", own, told, a.body)
		}
		s.must(t, s.alice, http.MethodGet, strings.ReplaceAll(path, "{account}", s.alice.account)+"?limit=1&cursor="+cursor, "", 200)
	}
	if walked == 0 {
		t.Error("no list had a second page")
	}
	feed := s.must(t, s.alice, http.MethodGet, "/v1/events?account="+s.alice.account, "", 200)
	after := feed.header.Get("Next-Cursor")
	for _, path := range []string{"/v1/events?account=" + s.bob.account, "/v1/events?account=" + s.bob.account + "&after=" + after} {
		a := s.must(t, s.bob, http.MethodGet, path, "", 200)
		if told := s.leaks(a, path); len(told) > 0 {
			t.Errorf("%s tells %v: %s", path, told, a.body)
		}
	}
	s.play(t,
		step{"alice's feed", s.bob, "GET", "/v1/events?account=" + s.alice.account, "", nil, 404, "not_found", nil},
		step{"alice's feed from her cursor", s.bob, "GET", "/v1/events?account=" + s.alice.account + "&after=" + after, "", nil, 404, "not_found", nil},
		step{"alice's feed as a stream", s.bob, "GET", "/v1/events?account=" + s.alice.account, "", []string{"Accept", "text/event-stream"}, 404, "not_found", nil},
		step{"everybody's feed", s.bob, "GET", "/v1/events", "", nil, 422, "invalid_field", []string{`"field":"account"`}},
		step{"a feed of nobody", nobody, "GET", "/v1/events?account=" + s.alice.account, "", nil, 401, "", nil},
		step{"a cursor of another list", s.alice, "GET", "/v1/accounts/" + s.alice.account + "/invoices?cursor=" + after, "", nil, 422, "invalid_field", []string{`"in":"query"`, `"field":"cursor"`}},
	)
}
