package http_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	portalhttp "github.com/hostfold/hostfold/http"
)

// inForce is a grant and when it may have been in force: from the request that
// gave it until the answer of the one that took it.
type inForce struct {
	terms    delegation.Terms
	from, to time.Time // to is zero while it is
}

// ledger is what one delegate may have held at which time.
type ledger struct {
	mu  sync.Mutex
	all []*inForce
}

// give notes a grant before it is asked for; end ends the one before it once
// the answer has come.
func (l *ledger) give(terms delegation.Terms, ask func() bool) bool {
	next := &inForce{terms: terms, from: time.Now()}
	l.mu.Lock()
	l.all = append(l.all, next)
	l.mu.Unlock()
	done := ask()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.all {
		if g.to.IsZero() && (g != next) == done {
			g.to = time.Now()
		}
	}
	return done
}

// during are the grants that may have been in force at any time between two.
// An answer is judged later than it was given, so that all it rests on is noted.
func (l *ledger) during(start, end time.Time) []delegation.Terms {
	l.mu.Lock()
	defer l.mu.Unlock()
	var held []delegation.Terms
	for _, g := range l.all {
		over := !g.to.IsZero() && g.to.Before(start) || g.terms.ExpiresAt != nil && !start.Before(*g.terms.ExpiresAt)
		if !over && !g.from.After(end) {
			held = append(held, g.terms)
		}
	}
	return held
}

// secret is a text that an answer may show only to who holds the permission on
// the thing. It is said here once more, apart from the rules under test.
type secret struct {
	text string
	p    domain.Permission
	// in is the scope's list that has to name id; nil when the permission alone
	// counts.
	in func(delegation.Scope) []string
	id string
}

func (s secret) shownBy(t delegation.Terms) bool {
	named := slices.Contains(t.Permissions, s.p) || // to manage services is to read them
		s.p == delegation.ServicesRead && slices.Contains(t.Permissions, delegation.ServicesManage)
	if s.in == nil {
		return named || slices.Contains(t.Permissions, "*") && t.Scope.All
	}
	return (named || slices.Contains(t.Permissions, "*")) && (t.Scope.All || slices.Contains(s.in(t.Scope), s.id))
}

// estate is an account with two of what a scope can choose.
type estate struct {
	*world
	owner             party
	processes         *fleet
	services, tickets []string
	secrets           []secret
}

func newEstate(t *testing.T) *estate {
	t.Helper()
	var config portalhttp.Config
	e := &estate{world: begin(t, func(c *portalhttp.Config) { config = *c })}
	e.sells(t)
	clerk := e.staff(t)
	e.owner = e.customer(t, "ada")
	base, staffBase := "/v1/accounts/"+e.owner.account, "/v1/staff/accounts/"+e.owner.account
	product := e.must(t, clerk, http.MethodPost, "/v1/staff/products", productBody("vps"), 201).ID(t)
	e.must(t, e.owner, http.MethodPatch, base, `{"name":"secret name"}`, 200)
	invoice := e.must(t, clerk, http.MethodPost, staffBase+"/invoices", invoiceBody, 201).ID(t)
	e.must(t, clerk, http.MethodPost, staffBase+"/invoices/"+invoice+"/issue", "", 200)
	e.secrets = []secret{{text: "secret name", p: delegation.ProfileRead}, {text: invoice, p: delegation.InvoicesRead}}
	services := func(s delegation.Scope) []string { return s.Services }
	tickets := func(s delegation.Scope) []string { return s.Tickets }
	for range 2 {
		id := e.must(t, clerk, http.MethodPost, staffBase+"/services", `{"product":"`+product+`","label":"x","cycle":"monthly"}`, 201).ID(t)
		e.must(t, clerk, http.MethodPost, staffBase+"/services/"+id+"/activate", "", 200)
		about := e.must(t, e.owner, http.MethodPost, base+"/tickets", `{"department":"technical","priority":"normal","subject":"s","message":"m","related":{"kind":"service","id":"`+id+`"}}`, 201).ID(t)
		e.services, e.tickets = append(e.services, id), append(e.tickets, about)
		e.secrets = append(e.secrets, secret{id, delegation.ServicesRead, services, id}, secret{about, delegation.TicketsRead, tickets, about})
	}
	e.Settle()
	e.processes = e.fleet(t, config, 3)
	return e
}

// grants draws terms: few permissions, all or some of two services and tickets,
// sometimes an end that comes soon.
func (e *estate) grants() *rapid.Generator[delegation.Terms] {
	return rapid.Custom(func(t *rapid.T) delegation.Terms {
		some := []domain.Permission{
			delegation.ServicesRead, delegation.ServicesManage, delegation.TicketsRead, delegation.InvoicesRead, delegation.ProfileRead,
		}
		terms := delegation.Terms{Permissions: []domain.Permission{"*"}}
		if rapid.IntRange(0, 3).Draw(t, "all") > 0 {
			terms.Permissions = rapid.SliceOfNDistinct(rapid.SampledFrom(some), 1, 4, rapid.ID).Draw(t, "permissions")
		}
		switch rapid.IntRange(0, 2).Draw(t, "scope") {
		case 0:
			terms.Scope.All = true
		case 1:
			terms.Scope.Services = e.services[:rapid.IntRange(1, 2).Draw(t, "services")]
		default:
			terms.Scope.Services = e.services[rapid.IntRange(0, 1).Draw(t, "services"):]
			terms.Scope.Tickets = e.tickets[rapid.IntRange(0, 1).Draw(t, "tickets"):]
		}
		if rapid.IntRange(0, 5).Draw(t, "ends") == 0 {
			end := time.Now().Add(time.Duration(rapid.IntRange(100, 400).Draw(t, "milliseconds")) * time.Millisecond).UTC().Truncate(time.Microsecond)
			terms.ExpiresAt = &end
		}
		return terms
	})
}

// TestNoAnswerShowsWhatTheRightsInForceForbid grants, narrows, revokes and lets
// expire at random, while the delegate and its API token ask three processes
// that die and come back. In the end the lane of rights halts.
func TestNoAnswerShowsWhatTheRightsInForceForbid(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	delegates, rounds := 2, 12
	if os.Getenv("HOSTFOLD_SOAK") != "" {
		delegates, rounds = 100, 20
	}
	for n := range delegates {
		e.watch(t, n, rounds)
	}
	e.halts(t)
}

// halts breaks the lane of rights: then nobody is let in by any process, a new
// one included, and no change of rights is said to be done.
func (e *estate) halts(t *testing.T) {
	t.Helper()
	who, held := e.member(t, "last"), &ledger{}
	terms := delegation.Terms{Permissions: []domain.Permission{"*"}, Scope: delegation.Scope{All: true}}
	id, secret := e.invited(t, who.email, onAll)
	held.give(terms, func() bool {
		return e.insist(t, who, http.MethodPost, "/v1/delegations/accept", token(secret)).status == 200
	})
	base := "/v1/accounts/" + e.owner.account
	if a := e.insist(t, who, http.MethodGet, base+"/services", ""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	e.breakRights(t)
	for i := range e.processes.live {
		e.processes.kill(i)
		e.processes.revive(t, i)
		for _, as := range []party{who, e.owner} {
			e.refused(t, i, as, base+"/services")
		}
		if a := e.call(e.owner, http.MethodDelete, base+"/delegations/"+id, ""); a.status != http.StatusServiceUnavailable {
			t.Errorf("rights are said to have changed: %d %s", a.status, a.body)
		}
	}
}

// refused waits until a process lets nobody in, and looks that it stays so.
func (e *estate) refused(t *testing.T, i int, as party, path string) {
	t.Helper()
	ask := func() int {
		return raw(e.processes.live[i].handler, http.MethodGet, path, "", "Authorization", "Bearer "+as.token).status
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for ask() != http.StatusServiceUnavailable {
		if ctx.Err() != nil {
			t.Fatal("the lane of rights is broken, and requests are let in")
		}
	}
	for range 20 {
		if status := ask(); status != http.StatusServiceUnavailable {
			t.Errorf("%s is answered %d while the lane of rights is halted", path, status)
		}
	}
}

// invited is invite through processes that die.
func (e *estate) invited(t *testing.T, email, terms string) (id, secret string) {
	t.Helper()
	a := e.insist(t, e.owner, http.MethodPost, "/v1/accounts/"+e.owner.account+"/delegations", fmt.Sprintf(`{"email":%q,%s}`, email, terms),
		"Idempotency-Key", uuid.NewString())
	if a.status != http.StatusCreated {
		t.Fatalf("an invitation is answered %d: %s", a.status, a.body)
	}
	return a.ID(t), e.mailed(t, a.ID(t), e.owner.id)
}

// watch changes what one delegate holds, and judges what it is shown.
func (e *estate) watch(t *testing.T, n, rounds int) {
	t.Helper()
	who := e.member(t, fmt.Sprintf("delegate%d", n))
	held := &ledger{}
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer wg.Wait()
	defer stop()

	id, active, invitations, program := "", false, 0, nobody
	var shown [3]map[int]int
	for round := range rounds {
		terms := e.grants().Example(n*rounds + round)
		if !active {
			terms.ExpiresAt = nil // it could be over before the invitation is asked for, on a machine that is busy
		}
		text, err := json.Marshal(terms)
		if err != nil {
			t.Fatal(err)
		}
		e.disturb(t, round, &wg)
		asked := strings.TrimSuffix(strings.TrimPrefix(string(text), "{"), "}")
		switch {
		case !active && invitations < 9:
			invitations++
			var secret string
			id, secret = e.invited(t, who.email, asked)
			active = held.give(terms, func() bool {
				return e.insist(t, who, http.MethodPost, "/v1/delegations/accept", token(secret)).status == 200
			})
		case active && round%5 == 4:
			held.give(delegation.Terms{}, func() bool {
				return e.insist(t, e.owner, http.MethodDelete, "/v1/accounts/"+e.owner.account+"/delegations/"+id, "").status == 200
			})
			active = false
		case active:
			if terms.ExpiresAt == nil {
				asked += `,"never_expires":true`
			}
			status := 0
			held.give(terms, func() bool {
				status = e.insist(t, e.owner, http.MethodPatch, "/v1/accounts/"+e.owner.account+"/delegations/"+id, "{"+asked+"}").status
				return status == 200
			})
			active = status != http.StatusConflict // it had run out; an end that is past by now changes nothing
		}
		if program.token == "" && active {
			a := e.insist(t, who, http.MethodPost, "/v1/accounts/"+e.owner.account+"/api-tokens", `{"name":"x","permissions":["*"]}`)
			if a.status != 201 {
				continue // it has run out
			}
			program.token = a.text(t, "token")
			for i, as := range []party{who, who, program} {
				shown[i] = map[int]int{}
				wg.Go(func() { e.ask(ctx, t, as, held, shown[i]) })
			}
		}
	}
	stop()
	wg.Wait()
	if shown[0][200] == 0 || shown[0][403]+shown[0][404] == 0 || shown[2][200] == 0 {
		t.Errorf("too little was asked: %v", shown)
	}
}

// disturb kills a process while the next change is made, or brings the dead back.
func (e *estate) disturb(t *testing.T, round int, wg *sync.WaitGroup) {
	t.Helper()
	if round%3 == 0 {
		return
	}
	for i := range e.processes.live {
		e.processes.revive(t, i)
	}
	if round%3 == 1 {
		wg.Go(func() { e.processes.kill(round / 3 % len(e.processes.live)) })
	}
}

// ask asks one thing after the other until ctx ends, and judges the answers.
func (e *estate) ask(ctx context.Context, t *testing.T, as party, held *ledger, shown map[int]int) {
	t.Helper()
	base := "/v1/accounts/" + e.owner.account
	paths := []string{base, base + "/dashboard", base + "/services", base + "/tickets?limit=1", base + "/invoices", "/v1/events?account=" + e.owner.account, base + "/history", base + "/delegations"}
	for _, id := range e.services {
		paths = append(paths, base+"/services/"+id)
	}
	for _, id := range e.tickets {
		paths = append(paths, base+"/tickets/"+id)
	}
	for i := 0; ctx.Err() == nil; i++ {
		path := paths[i%len(paths)]
		start := time.Now()
		a := e.call(as, http.MethodGet, path, "")
		allowed := held.during(start, time.Now())
		shown[a.status]++
		if a.status >= 500 && a.status != http.StatusServiceUnavailable && a.header.Get(lost) == "" {
			t.Errorf("%s answered %d %s", path, a.status, a.body)
			return
		}
		if a.status != 200 {
			continue
		}
		for _, s := range e.secrets {
			may := slices.ContainsFunc(allowed, s.shownBy)
			if strings.Contains(string(a.body), s.text) && !may {
				t.Errorf("%s shows %s, which none of %+v allows: %s", path, s.text, allowed, a.body)
				return
			}
		}
	}
}
