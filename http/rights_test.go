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

	"pgregory.net/rapid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore/feed"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/projections"
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
	second            http.Handler
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
	e.second = e.replica(t, config)
	return e
}

// replica is another process over the same store and database.
func (w *world) replica(t *testing.T, c portalhttp.Config) http.Handler {
	t.Helper()
	runner, err := feed.New(feed.Config{
		Store: w.Store, Codec: w.Codec, DB: w.DB, LogID: w.LogID, Owner: "second", Clock: time.Now, Lanes: projections.Lanes(w.Models...),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	c.Reader = projections.NewReader(w.DB, runner, w.LogID)
	c.Feed = projections.NewFeed(c.Reader, w.Store, w.Codec)
	return portalhttp.New(c)
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
// expire at random, while the delegate and its API token ask two processes.
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
		text, err := json.Marshal(terms)
		if err != nil {
			t.Fatal(err)
		}
		asked := strings.TrimSuffix(strings.TrimPrefix(string(text), "{"), "}")
		switch {
		case !active && invitations < 9:
			invitations++
			var secret string
			id, secret = e.invite(t, e.owner, who.email, asked)
			active = held.give(terms, func() bool {
				// It may have run out before it was accepted.
				return e.do(t, who, http.MethodPost, "/v1/delegations/accept", token(secret)).status == 200
			})
		case active && round%5 == 4:
			held.give(delegation.Terms{}, func() bool {
				return e.do(t, e.owner, http.MethodDelete, "/v1/accounts/"+e.owner.account+"/delegations/"+id, "").status == 200
			})
			active = false
		case active:
			if terms.ExpiresAt == nil {
				asked += `,"never_expires":true`
			}
			active = held.give(terms, func() bool {
				return e.do(t, e.owner, http.MethodPatch, "/v1/accounts/"+e.owner.account+"/delegations/"+id, "{"+asked+"}").status == 200
			})
		}
		if program.token == "" && active {
			a := e.do(t, who, http.MethodPost, "/v1/accounts/"+e.owner.account+"/api-tokens", `{"name":"x","permissions":["*"]}`)
			if a.status != 201 {
				continue // it has run out
			}
			program.token = a.text(t, "token")
			for i, as := range []party{who, who, program} {
				shown[i] = map[int]int{}
				handler := e.handler
				if i == 1 {
					handler = e.second
				}
				wg.Go(func() { e.ask(ctx, t, handler, as, held, shown[i]) })
			}
		}
	}
	stop()
	wg.Wait()
	if shown[0][200] == 0 || shown[0][403]+shown[0][404] == 0 || shown[2][200] == 0 {
		t.Errorf("too little was asked: %v", shown)
	}
}

// ask asks one thing after the other until ctx ends, and judges the answers.
func (e *estate) ask(ctx context.Context, t *testing.T, h http.Handler, as party, held *ledger, shown map[int]int) {
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
		a := send(t, h, http.MethodGet, path, "", "Authorization", "Bearer "+as.token)
		allowed := held.during(start, time.Now())
		shown[a.status]++
		if a.status >= 500 {
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
