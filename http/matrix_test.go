package http_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// matrix is a scene with everybody who may ask.
type matrix struct {
	*scene
	// domain is the id of alice's domain name; other is a second one of each kind
	// of which a grant can choose some.
	domain              string
	expected            map[string]expectation
	passkey, offer      string
	other               map[string]string
	delegations, tokens []string
	mine                []hidden
	asked               atomic.Int64
	seen                sync.Map // operations and statuses whose form was checked
	done                sync.Map // "METHOD /path" of what was carried out
}

// tell adds a fact to a stream that commands have begun.
func (w *world) tell(t *testing.T, stream string, e domain.Event) {
	t.Helper()
	next := uint64(0)
	for _, err := range w.Store.ReadStream(t.Context(), stream, 0) {
		if err != nil {
			t.Fatal(err)
		}
		next++
	}
	stored, err := w.Codec.Encode(t.Context(), stream, uuid.New(), e, eventstore.Metadata{
		Actor: domain.Actor{Kind: domain.ActorSystem, ID: "test"}, CommandID: uuid.New(), Command: "Test", OccurredAt: w.clock(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.Append(t.Context(), stream, eventstore.After(next), stored); err != nil {
		t.Fatal(err)
	}
}

// hidden is a text that only whoever has the permission on the thing may see.
type hidden struct{ text, permission, kind, id string }

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{scene: &scene{world: begin(t, withPages)}, other: map[string]string{}, expected: expectations()}
	m.handler = m.noting(m.handler)
	m.sells(t)
	m.people(t, "")
	base, staffBase := "/v1/accounts/"+m.alice.account, "/v1/staff/accounts/"+m.alice.account
	list := m.must(t, m.alice, http.MethodGet, base+"/domains", "", 200).items(t)
	m.domain, _ = list[0].(map[string]any)["id"].(string)
	m.other["service"] = m.must(t, m.clerk, http.MethodPost, staffBase+"/services", `{"product":"`+m.product+`","label":"second-secret label","cycle":"monthly"}`, 201).ID(t)
	m.other["domain"] = m.must(t, m.clerk, http.MethodPost, staffBase+"/domains", `{"name":"second-secret.example","registered_on":"2026-01-02","expires_on":"2027-01-02"}`, 201).ID(t)
	m.other["ticket"] = m.must(t, m.alice, http.MethodPost, base+"/tickets", strings.ReplaceAll(ticketBody, "alice-secret", "second-secret"), 201).ID(t)
	m.offer = m.must(t, m.alice, http.MethodPost, base+"/ownership-transfers", `{"email":"heir-secret@example.com"}`, 201).ID(t)
	m.must(t, m.alice, http.MethodPost, base+"/notifications/read-all", "", 200) // so that there is nothing left to mark
	m.passkey = "psk_alice"
	m.tell(t, "user-"+m.alice.id, user.PasskeyAdded{Passkey: m.passkey, Name: "alice-secret key"})
	m.mine = []hidden{
		{m.service, "services.read", "service", m.service},
		{"alice-secret label", "services.read", "service", m.service},
		{m.other["service"], "services.read", "service", m.other["service"]},
		{"second-secret label", "services.read", "service", m.other["service"]},
		{domainName, "domains.read", "domain", m.domain},
		{m.domain, "domains.read", "domain", m.domain},
		{m.other["domain"], "domains.read", "domain", m.other["domain"]},
		{"second-secret.example", "domains.read", "domain", m.other["domain"]},
		{m.ticket, "tickets.read", "ticket", m.ticket},
		{"alice-secret subject", "tickets.read", "ticket", m.ticket},
		{"alice-secret message", "tickets.read", "ticket", m.ticket},
		{m.other["ticket"], "tickets.read", "ticket", m.other["ticket"]},
		{"second-secret subject", "tickets.read", "ticket", m.other["ticket"]},
		{m.invoice, "invoices.read", "invoice", m.invoice},
		{"alice-secret line", "invoices.read", "invoice", m.invoice},
		{m.creditNote, "invoices.read", "", ""},
		{"alice-secret reason", "invoices.read", "", ""},
		{m.draft, "staff.billing", "", ""},
		{m.contact, "contacts.manage", "", ""},
		{"alice-secret contact", "contacts.manage", "", ""},
		{"alice-secret street", "contacts.manage", "", ""},
		{m.notification, "notifications.read", "", ""},
		{"alice-secret title", "notifications.read", "", ""},
		{"heir-secret", "owner", "", ""},
	}
	return m
}

// noting notes what a handler carries out.
func (m *matrix) noting(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		if rec, ok := w.(*httptest.ResponseRecorder); ok && rec.Code < 400 {
			m.done.Store(r.Method+" "+r.URL.Path, true)
		}
	})
}

// thing is what a path names beside the account, and what it is to the caller.
type thing struct {
	id string
	// of is whose it is: the account's, another's or nobody's.
	of owner
}

type owner int

const (
	its owner = iota
	anothers
	nobodys
)

// things are those that an operation's path may name. Those of alice are named
// under her account and under bob's, where they are another's.
func (m *matrix) things(kind, account string) []thing {
	if kind == "domainName" {
		kind = "domain"
	}
	mine := map[string][]string{
		"service": {m.service, m.other["service"]}, "domain": {domainName, "second-secret.example"}, "ticket": {m.ticket, m.other["ticket"]},
		"invoice": {m.invoice}, "creditNote": {m.creditNote}, "notification": {m.notification}, "contact": {m.contact},
		"delegated": m.delegations[:1], "apiToken": m.tokens[:1], "session": {m.session}, "passkey": {m.passkey}, "transfer": {m.offer}, "product": {m.product}, "news": {m.news},
		"user": {m.alice.id}, "member": {m.clerk.id}, "stream": {"hosting-" + m.service},
	}[kind]
	out := []thing{{"none_1", nobodys}}
	for _, id := range mine {
		of := its
		if account != "" && account != m.alice.account {
			of = anothers
		}
		out = append(out, thing{id, of})
	}
	return out
}

// answers are what a caller is to be answered.
type outcome string

const (
	loggedOut  outcome = "401"
	forPeople  outcome = "403 not_for_api_tokens"
	denied     outcome = "403 denied"
	unproven   outcome = "403 second_factor_required"
	outOfReach outcome = "403 impersonation_out_of_reach"
	missing    outcome = "404 not_found"
	// letIn is a refusal that only who may do it gets: for the revision, the state
	// or the request, or for a session that has to be confirmed.
	letIn      outcome = "a refusal after the rights"
	carriedOut outcome = "what the operation answers"
)

// expect says what a caller is to be answered. It follows from what the
// operation needs and what the caller holds alone.
func (m *matrix) expect(c *caller, e expectation, template, account string, of thing) outcome {
	own := strings.Contains(template, "{account}")
	switch {
	case e.who() == anyone && of.of == nobodys && e.of != "":
		return missing
	case e.who() == anyone:
		return carriedOut
	case c.out:
		return loggedOut
	case c.program && !strings.HasPrefix(template, "/v1/accounts/{account}") && template != "/v1/events":
		return forPeople
	case own && !c.knows(account):
		return missing
	case e.needs == knowing && !c.knows(account):
		return missing
	}
	if e.who() == member {
		if (e.of == "session" || e.of == "passkey") && (of.of != its || c.name != "the owner") {
			return missing
		}
		return carriedOut
	}
	if !m.allowed(c, e, account) {
		if c.unproven {
			proven := *c
			proven.unproven = false
			if m.allowed(&proven, e, account) {
				return unproven
			}
		}
		if c.acts && account == c.on && m.allowed(&caller{owns: account}, e, account) {
			return outOfReach
		}
		if id := m.idOf(of.id); e.of != "" && !c.reaches(e.of, id, account) {
			return missing
		}
		return denied
	}
	switch {
	case e.adds && c.on == account && c.chosen != nil:
		return denied
	case e.of == "":
		return carriedOut
	case e.of == "stream" && of.of == anothers:
		return carriedOut // auditors know no accounts
	case of.of != its, !c.reaches(e.of, m.idOf(of.id), account):
		return missing
	case e.of == "domainName" && !c.reaches("domain", m.idOf(of.id), account):
		return missing // whoever reads none is denied all, whatever the name
	case e.of == "delegated" && len(e.or) > 0 && c.on == account && c.chosen != nil:
		return missing // it reads what is within its own scope, which this one is not
	}
	return carriedOut
}

// allowed reports whether the caller holds what the operation needs.
func (m *matrix) allowed(c *caller, e expectation, account string) bool {
	for _, p := range e.also {
		if !c.may(string(p), account) {
			return false
		}
	}
	for _, p := range append([]domain.Permission{e.needs}, e.or...) {
		if c.may(string(p), account) {
			return true
		}
	}
	return false
}

// idOf is the id of a thing that may be named otherwise: domains are, by name.
func (m *matrix) idOf(named string) string {
	switch named {
	case domainName:
		return m.domain
	case "second-secret.example":
		return m.other["domain"]
	}
	return named
}

// came says which outcome an answer is.
func came(a answer) outcome {
	text := string(a.body)
	switch {
	case a.status == 401:
		return loggedOut
	case a.status == 403 && strings.Contains(text, `"code":"denied"`):
		return denied
	case a.status == 403 && strings.Contains(text, `"code":"not_for_api_tokens"`):
		return forPeople
	case a.status == 403 && strings.Contains(text, `"code":"second_factor_required"`):
		return unproven
	case a.status == 403 && strings.Contains(text, `"code":"impersonation_out_of_reach"`):
		return outOfReach
	case a.status == 404:
		return missing
	case slices.Contains([]int{409, 412, 422, 429}, a.status), a.status == 403 && strings.Contains(text, `"code":"confirmation_required"`):
		return letIn
	case a.status < 400:
		return carriedOut
	}
	return outcome(strconv.Itoa(a.status))
}

// question is one request of the matrix.
type question struct {
	by                     *caller
	e                      expectation
	method, template, path string
	account                string
	of                     thing
}

// questions are all that a caller asks of an operation.
func (m *matrix) questions(c *caller, route string) []question {
	documented, template, _ := strings.Cut(route, " ")
	e := m.expected[route]
	accounts := []string{""}
	if strings.Contains(template, "{account}") || template == "/v1/events" {
		accounts = []string{m.alice.account, m.bob.account}
	}
	kinds := []thing{{}}
	var out []question
	for _, account := range accounts {
		if e.of != "" {
			kinds = m.things(e.of, account)
		}
		for _, of := range kinds {
			path := strings.NewReplacer("{account}", account, "{line}", "1", "{id}", of.id, "{name}", of.id, "{user}", of.id, "{stream}", of.id).Replace(template)
			if template == "/v1/events" {
				path += "?account=" + account
			}
			for _, method := range methods(documented) {
				if method == http.MethodHead && !sample(c) {
					continue // GET without a body is answered by the same route
				}
				out = append(out, question{c, e, method, template, path, account, of})
			}
		}
	}
	return out
}

// never is a revision that nothing has: a write that is allowed goes as far as
// being refused for it, and changes nothing.
const never = `"999999999"`

// put asks, and judges the answer.
func (m *matrix) put(t *testing.T, q question) {
	t.Helper()
	m.asked.Add(1)
	body := q.e.body
	if q.e.who() == anyone && !q.by.out {
		body = "{}" // who asks makes no difference there
	}
	if q.method == http.MethodGet || q.method == http.MethodHead {
		body = ""
	}
	headers := []string{"If-Match", never}
	if q.by.token != "" {
		headers = append(headers, "Authorization", "Bearer "+q.by.token)
	}
	a := raw(m.handler, q.method, q.path, body, headers...)
	got, want := came(a), m.expect(q.by, q.e, q.template, q.account, q.of)
	if q.method == http.MethodHead && a.status == 403 && (strings.HasPrefix(string(want), "403") || q.by.unproven && want == missing) {
		got = want // there is no body that says why
	}
	if got == letIn && want == carriedOut {
		got = want // none of the forbidden got it, or those fail
	}
	switch {
	case got == missing && want == carriedOut && (strings.HasSuffix(q.template, "/erasure") || strings.HasSuffix(q.template, "/impersonation")):
		got = want // nothing was asked for, or begun
	case got == letIn && want == missing && strings.HasSuffix(q.template, "/ownership-transfers/{id}"):
		got = want // the account is what has the revision that was not met
	case got == letIn && want == missing && q.template == "/v1/staff/users/{id}/legal-hold" && q.method == http.MethodDelete:
		got = want // where there is nobody, there is no hold to lift
	case q.by.unproven && q.e.needs == knowing:
		got = want // it may be shown nothing, as well as refused
	case q.by.unproven && slices.Contains([]outcome{denied, unproven}, got) && slices.Contains([]outcome{denied, unproven, missing}, want):
		got = want // in what is refused anyway, staff may hear first what else they lack
	case q.e.of == "session" && want == missing && strings.Contains(string(a.body), "confirmation_required"):
		got = want // the owner has a passkey, and shows it before a session is looked for
	case got == loggedOut && want == carriedOut && q.e.who() == anyone:
		got = want // that is what a wrong password is answered
	case got == missing && want == denied && q.e.adds && q.by.chosen != nil:
		got = want // another one is not among the chosen ones
	}
	if got != want {
		t.Errorf("%s: %s %s answered %d, not %s: %s", q.by.name, q.method, q.path, a.status, want, a.body)
	}
	if got == carriedOut && q.e.who() > member && q.method != http.MethodGet && q.method != http.MethodHead && a.status < 300 && !strings.HasSuffix(q.template, "/read-all") {
		t.Errorf("%s: %s %s was done all the same: %d %s", q.by.name, q.method, q.path, a.status, a.body)
	}
	m.judge(t, q, a)
	form := fmt.Sprint(q.method, q.template, a.status)
	if _, again := m.seen.LoadOrStore(form, true); !again {
		req := httptest.NewRequestWithContext(t.Context(), q.method, "http://portal.test"+q.path, http.NoBody)
		theContract(t).fits(t, req, a)
	}
}

// judge looks whether an answer shows what the caller may not see.
func (m *matrix) judge(t *testing.T, q question, a answer) {
	t.Helper()
	if q.e.needs == "staff.audit" && a.status == 200 {
		return // auditors see all that is stored
	}
	body := strings.ReplaceAll(string(a.body), q.path, "")
	for _, s := range m.mine {
		if !strings.Contains(body, s.text) || strings.Contains(q.path, s.text) {
			continue
		}
		if strings.Contains(q.template, "/delegations") && s.text == s.id {
			continue // who manages users sees what each of them reaches
		}
		may := q.by.may(s.permission, m.alice.account) && (s.kind == "" || q.by.reaches(s.kind, s.id, m.alice.account))
		may = may || s.permission == "contacts.manage" && q.by.may("staff.users.read", "") // who owns the names
		if !may {
			t.Errorf("%s: %s %s shows %q: %s", q.by.name, q.method, q.path, s.text, a.body)
		}
	}
}

// raw sends a request to a handler and checks nothing.
func raw(h http.Handler, method, path, body string, headers ...string) answer {
	req := httptest.NewRequestWithContext(context.Background(), method, "http://portal.test"+path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return answer{status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
}

// TestTheAccessMatrix asks every operation as everybody, with things that are
// the account's, another's and nobody's. Writes carry a revision that nothing
// has, so that none is done: what is compared is who is let in how far.
func TestTheAccessMatrix(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	m := newMatrix(t)
	everybody := m.callers(t)
	m.Settle()
	for _, e := range slices.Concat(slices.Collect(maps.Values(m.expected)), slices.Collect(maps.Values(pageExpectations()))) {
		if e.of != "" && len(m.things(e.of, m.alice.account)) < 2 {
			t.Errorf("of the kind %s nothing is asked for that is there: say in things what alice has of it", e.of)
		}
	}
	before := m.facts(t)
	all := routes(t, m.handler)
	questions := make(chan question)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for q := range questions {
				m.put(t, q)
			}
		})
	}
	for _, route := range all {
		if route == "DELETE /v1/sessions/current" || route == "DELETE /v1/me/sessions/{id}" {
			continue // they end sessions, so they come last
		}
		for _, c := range everybody {
			for _, q := range m.questions(c, route) {
				questions <- q
			}
		}
	}
	close(questions)
	wg.Wait()
	m.visit(t, everybody)
	m.Settle()
	after := m.facts(t)
	for _, table := range []string{"read.login", "read.mail", "read.person"} { // anybody may register
		delete(before, table)
		delete(after, table)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("something changed:\n%s", diff)
	}
	m.leave(t, everybody)
	m.carryOut(t, everybody, all)
	t.Logf("%d callers, %d operations, %d requests", len(everybody), len(all), m.asked.Load())
}

// leave ends the sessions of all callers: of others nobody can, its own
// everybody does. Alice's is last, so that others have tried to end it.
func (m *matrix) leave(t *testing.T, everybody []*caller) {
	t.Helper()
	put := func(c *caller, route string) {
		t.Helper()
		for _, q := range m.questions(c, route) {
			m.put(t, q)
		}
	}
	alice := slices.IndexFunc(everybody, func(c *caller) bool { return c.name == "the owner" })
	for i, c := range everybody {
		if i == alice {
			continue
		}
		put(c, "DELETE /v1/me/sessions/{id}")
		put(c, "DELETE /v1/sessions/current")
		if a := raw(m.handler, http.MethodGet, "/v1/me", "", "Authorization", "Bearer "+c.token); a.status != 401 && !c.program {
			t.Errorf("%s is still logged in: %d", c.name, a.status)
		}
	}
	put(everybody[alice], "DELETE /v1/me/sessions/{id}")
}
