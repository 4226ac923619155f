package http_test

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain/delegation"
)

// asker is somebody who sends the fuzzers' requests.
type asker struct {
	name string
	party
	mu sync.Mutex
	// program is true for an API token, which is no session.
	program bool
	// hidden are texts that this asker must not be shown.
	hidden []string
}

// castLife is after how many requests everybody is replaced: by then much of
// what they had is gone or closed.
const castLife = 2000

// cast replaces everybody who asks, and what alice has.
func (s *front) cast(t testing.TB) {
	t.Helper()
	defer s.In(t)()
	s.casts, s.sent = s.casts+1, 0
	s.ahead.Add(int64(2 * time.Hour)) // what was tried too often may be tried again
	number := strconv.Itoa(s.casts)
	s.people(t, number)
	friend, dave := s.member(t, "carol"+number), s.member(t, "dave"+number)
	s.enrol(t, dave)
	delegated, carol := s.delegate(t, s.alice, friend, onTickets)
	open, _ := s.invite(t, s.alice, dave.email, onTickets)
	spare := s.must(t, s.alice, http.MethodPost, "/v1/accounts/"+s.alice.account+"/contacts", contactBody, 201).ID(t)
	idle := s.must(t, s.clerk, http.MethodPost, "/v1/staff/accounts/"+s.alice.account+"/services", `{"product":"`+s.product+`","label":"alice-secret label","cycle":"monthly"}`, 201).ID(t)
	second := s.must(t, s.clerk, http.MethodPost, "/v1/staff/accounts/"+s.alice.account+"/invoices", invoiceBody, 201).ID(t)
	desk := s.hired(t, "desk"+number, delegation.RoleSupport)
	_, invited := s.invite(t, s.bob, carol.email, onTickets)
	_, offered := s.offer(t, s.bob, carol.email, "")
	apiToken, program := s.token(t, s.alice, s.alice.account, `{"name":"x","permissions":["*"]}`)
	s.Settle()
	s.things = map[string][]string{
		"service": {s.service, idle}, "domainName": {s.domainName}, "domain": {s.domainName}, "ticket": {s.ticket}, "invoice": {s.invoice, s.draft, s.credited},
		"creditNote": {s.creditNote}, "notification": {s.notification}, "contact": {s.contact, spare}, "delegated": {delegated, open}, "apiToken": {apiToken},
		"session": {s.session}, "product": {s.product}, "news": {s.news}, "user": {s.alice.id, dave.id, s.bob.id, carol.id}, "member": {desk.id, s.clerk.id}, "draft": {second, s.draft}, "idle": {idle}, "enrolled": {dave.id},
		"stream": {"hosting-" + s.service, "account-" + s.alice.account},
	}
	s.texts = []string{
		s.alice.account, s.alice.id, s.alice.email, s.service, s.draft, s.invoice, s.credited, s.creditNote, s.ticket, s.notification, s.session, s.contact, s.domainName,
		s.bob.account, s.bob.id, delegated, apiToken, s.product, s.news, password, s.clerk.email, "new" + number + "@example.com", "new" + number + ".example", "none_1",
	}
	s.samples = strings.NewReplacer("alice-secret", "plain", `"wrong"`, strconv.Quote(password), `"not the right one"`, strconv.Quote(password), "prd_1", s.product, "ctc_1", s.contact, "tkt_1", s.ticket,
		`"email":"nobody@example.com","password":"nothing"`, `"email":"`+s.bob.email+`","password":"`+password+`"`, "nobody@example.com", dave.email,
		`"new":"`+password+`"`, `"new":"another horse, seventeen staples"`,
		"new.example", "new"+number+".example", "new@example.com", "new"+number+"@example.com", `"code":"new"`, `"code":"new`+number+`"`)
	s.mailed = map[string]string{"delegations": invited, "invitation": invited, "ownership-transfers": offered, "transfer": offered}
	foreign := s.secrets()
	beside := []string{ // what a delegate for tickets must not see
		"alice-secret label", "alice-secret line", "alice-secret reason", "alice-secret contact", "alice-secret street", "alice-secret title", "alice-secret body",
		s.service, s.draft, s.invoice, s.credited, s.creditNote, s.notification, s.session, s.contact, s.domainName,
	}
	s.askers = []*asker{
		{name: "nobody", hidden: slices.Clone(foreign)},
		{name: "bob", party: s.bob, hidden: slices.Clone(foreign)},
		{name: "alice", party: s.alice, hidden: []string{s.draft, second}},
		{name: "carol", party: carol, hidden: beside},
		{name: "the clerk", party: s.clerk},
		{name: "a program", party: program, program: true, hidden: []string{s.draft, second, s.session}},
	}
}

// alive reports whether everybody can still do what belongs to them.
func (s *front) alive(t testing.TB) bool {
	t.Helper()
	own := "/v1/accounts/" + s.alice.account
	for _, as := range s.askers {
		s.again(t, as)
		method, path, body := http.MethodGet, own+"/tickets", ""
		switch as.name {
		case "nobody":
			continue
		case "alice", "bob":
			method, path, body = http.MethodPatch, "/v1/accounts/"+as.account, `{"name":"`+as.name+`"}`
		case "the clerk":
			path = "/v1/staff/accounts"
		}
		a, ok := s.send(as, method, path, "Content-Type: application/json\r\n", body)
		if ok && a.status != http.StatusOK && a.status != http.StatusTooManyRequests {
			return false
		}
	}
	return true
}

// again opens a session for somebody whose last one may have ended.
func (s *front) again(t testing.TB, as *asker) {
	t.Helper()
	if as.id == "" || as.program {
		return
	}
	now := s.clock()
	secret, _, err := s.vault.OpenSession(context.Background(), as.id, vault.Client{IP: "192.0.2.1"}, vault.LifeOf(false), vault.Proof{StaffRights: true, PasswordAt: &now, FactorAt: &now})
	if err != nil {
		t.Fatal(err)
	}
	as.mu.Lock()
	as.token = secret
	as.mu.Unlock()
}

// mailedFor is the secret of a mailed link that leads to an address.
func (s *front) mailedFor(template string) string {
	for part, secret := range s.mailed {
		if slices.Contains(strings.Split(template, "/"), part) {
			return secret
		}
	}
	return "x"
}

// goOn makes ready for the next request: whoever was logged out logs in again,
// whoever asked too much waits, and now and then everybody is replaced. What was
// written down where others may read it is hidden no more, nor is what somebody
// was given a right to.
func (s *front) goOn(t testing.TB, as *asker, method, target, body string, a answer) {
	t.Helper()
	if method != http.MethodGet && a.status < 400 && strings.Contains(target, s.things["delegated"][0]) {
		s.askers[3].hidden = nil // alice gives carol other rights
	}
	switch a.status {
	case http.StatusUnauthorized, http.StatusSeeOther:
		s.again(t, as)
	case http.StatusTooManyRequests:
		s.ahead.Add(int64(20 * time.Minute))
	}
	if method != http.MethodGet && a.status < 400 {
		for _, other := range s.askers {
			other.hidden = slices.DeleteFunc(other.hidden, func(text string) bool {
				return strings.Contains(body, text) || strings.HasPrefix(text, "inv_") && strings.Contains(target, text)
			})
		}
	}
	if s.sent++; s.sent > castLife || s.sent%250 == 0 && !s.alive(t) {
		s.cast(t)
	}
}
