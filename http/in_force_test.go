package http_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/projections"
)

// changesOfRights are all events of the lane of rights, with the routes and
// pages that write each. Those without any are written by what goes on by
// itself, to which nobody waits for an answer.
func changesOfRights() map[string][]string {
	return map[string][]string{
		"account.opened":                 {"POST /v1/accounts", "POST /portal/open-account"},
		"account.ownership_transferred":  {"POST /v1/ownership-transfers/accept", "POST /portal/transfer"},
		"account.closed":                 nil,
		"account.reopened":               {"POST /v1/staff/accounts/{account}/reopen"},
		"user.locked":                    {"POST /v1/staff/users/{user}/lock"},
		"user.unlocked":                  {"POST /v1/staff/users/{user}/unlock"},
		"user.closed":                    {"POST /v1/me/close", "POST /portal/me/security/close", "POST /portal/{account}/security/close"},
		"delegation.invitation_accepted": {"POST /v1/delegations/accept", "POST /portal/invitation"},
		"delegation.kept":                nil,
		"delegation.grant_changed":       {"PATCH /v1/accounts/{account}/delegations/{id}", "POST /portal/{account}/users/{id}"},
		"delegation.revoked":             {"DELETE /v1/accounts/{account}/delegations/{id}", "POST /portal/{account}/users/{id}/revoke"},
		"delegation.left":                {"POST /v1/accounts/{account}/leave", "POST /portal/{account}/leave"},
		"delegation.expired":             nil,
		"staff.hired":                    {"POST /v1/staff/members", "POST /portal/staff/members"},
		"staff.role_assigned":            {"PATCH /v1/staff/members/{id}", "POST /portal/staff/members/{id}"},
		"staff.deactivated":              {"DELETE /v1/staff/members/{id}", "POST /portal/staff/members/{id}/deactivate"},
		"apitoken.issued":                {"POST /v1/accounts/{account}/api-tokens", "POST /portal/{account}/tokens"},
		"apitoken.revoked":               {"DELETE /v1/accounts/{account}/api-tokens/{id}", "POST /portal/{account}/tokens/{id}/revoke"},
		// They take names away, and no rights.
		"privacy.subject_key_destroyed": nil,
		"privacy.erasure_completed":     nil,
	}
}

// fact is the name of an event without its version.
func fact(name string) string { return name[:strings.LastIndex(name, ".v")] }

// route names the route or page that ctx belongs to, "" for none.
func route(ctx context.Context) string {
	c := chi.RouteContext(ctx)
	if c == nil {
		return ""
	}
	return c.RouteMethod + " " + strings.TrimSuffix(c.RoutePattern(), "/")
}

// listing is a store that looks, in every test, whether the route that changes
// rights is listed.
type listing struct {
	eventstore.Store
	tb testing.TB
}

func (l listing) Append(ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	all := changesOfRights()
	for _, e := range events {
		if at, changes := all[fact(e.Type)]; changes && route(ctx) != "" && !slices.Contains(at, route(ctx)) {
			l.tb.Errorf("%s writes %s: say so in changesOfRights", route(ctx), e.Type)
		}
	}
	return l.Store.Append(ctx, stream, expected, events...)
}

// written says which event a route writes.
type written struct{ by, of string }

// gathering is a store that holds each route's first change of rights back
// until open is closed.
type gathering struct {
	eventstore.Store
	came chan written
	open chan struct{}
	seen sync.Map
}

func (g *gathering) Append(ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	all := changesOfRights()
	for _, e := range events {
		if _, changes := all[fact(e.Type)]; !changes || route(ctx) == "" {
			continue
		}
		if _, again := g.seen.LoadOrStore(route(ctx), true); !again {
			g.came <- written{route(ctx), fact(e.Type)}
			<-g.open
		}
	}
	return g.Store.Append(ctx, stream, expected, events...)
}

// TestNoChangeOfRightsIsAnsweredBeforeItIsInForce has every route and page that
// changes rights do so at once. Before any of it is written, the lane of rights
// comes upon an event that it cannot read: none of them may say that it is done.
func TestNoChangeOfRightsIsAnsweredBeforeItIsInForce(t *testing.T) {
	t.Parallel()
	w := begin(t, withPages)
	all := changesOfRights()
	var routes []string
	for _, e := range readByRights() {
		at, listed := all[e]
		if !listed {
			t.Errorf("the lane of rights reads %s: say in changesOfRights who writes it", e)
		}
		routes = append(routes, at...)
	}
	asked := w.everyChangeOfRights(t)
	for _, at := range routes {
		if _, ok := asked[at]; !ok {
			t.Errorf("%s is not asked", at)
		}
	}
	store := &gathering{Store: w.Store, came: make(chan written), open: make(chan struct{})}
	w.dispatcher.Store = store
	type done struct {
		at string
		answer
	}
	answers := make(chan done)
	for at, ask := range asked {
		go func() { answers <- done{at, ask()} }()
	}
	early := 0
	for range asked {
		select {
		case e := <-store.came:
			if !slices.Contains(all[e.of], e.by) {
				t.Errorf("%s writes %s", e.by, e.of)
			}
		case a := <-answers:
			early++
			t.Errorf("%s changed nothing: %d %.300s", a.at, a.status, a.body)
		}
	}
	poison := eventstore.NewEvent{ID: uuid.New(), Type: "staff.hired.v99", Data: []byte(`{}`), Metadata: []byte(`{}`)}
	if _, err := w.Store.Append(t.Context(), "staff-usr_poison", eventstore.NoStream(), poison); err != nil {
		t.Fatal(err)
	}
	close(store.open)
	for range len(asked) - early {
		a := <-answers
		api := strings.Contains(a.at, " /v1/")
		if a.status != http.StatusServiceUnavailable || api && a.code(t) != "not_in_force" {
			t.Errorf("%s is answered %d before it is in force: %.300s", a.at, a.status, a.body)
		}
	}
}

// readByRights are the events that the lane of rights reads.
func readByRights() (facts []string) {
	models := projections.Models()
	lane := models[slices.IndexFunc(models, func(m projections.Model) bool { return m.Name == projections.RightsModel })].Lane()
	for _, e := range catalog.Types() {
		if slices.ContainsFunc(lane.Types, func(begin string) bool { return strings.HasPrefix(e.Name, begin) }) {
			facts = append(facts, fact(e.Name))
		}
	}
	return facts
}

// everyChangeOfRights prepares one request for each route and page that changes
// rights. None stands in another's way.
func (w *world) everyChangeOfRights(t *testing.T) map[string]func() answer {
	t.Helper()
	admin := w.staff(t)
	ada, bob := w.customer(t, "ada"), w.customer(t, "bob")
	all := map[string]func() answer{}
	// add has as send a body, or a form, to a route with its ids filled in.
	add := func(at string, as party, body string, ids ...string) {
		method, path, _ := strings.Cut(at, " ")
		path = strings.NewReplacer(append([]string{"{account}", as.account}, ids...)...).Replace(path)
		req := httptest.NewRequestWithContext(t.Context(), method, "http://portal.test"+path, strings.NewReader(body))
		if strings.HasPrefix(path, "/portal/") {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Cookie", "hostfold_session="+as.token)
		} else {
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+as.token)
		}
		all[at] = func() answer {
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, req)
			return answer{status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
		}
	}
	people, now := 0, time.Now()
	person := func() party {
		people++
		return w.admit(t, fmt.Sprintf("person%d", people), vault.Proof{PasswordAt: &now})
	}
	acting := func(on party) (string, party) { return w.delegate(t, on, person(), onAll) }

	add("POST /v1/accounts", person(), `{"name":"New","kind":"individual","country":"FR","currency":"EUR"}`)
	add("POST /portal/open-account", person(), "name=New&kind=individual&country=FR")
	for at, form := range map[string]string{"POST /v1/ownership-transfers/accept": `{"token":"%s"}`, "POST /portal/transfer": "answer=accept&token=%s"} {
		giver, taker := w.customer(t, fmt.Sprint("giver", len(form))), person()
		_, secret := w.offer(t, giver, taker.email, "")
		add(at, taker, fmt.Sprintf(form, secret))
	}
	closed := w.customer(t, "closed")
	w.must(t, closed, http.MethodPost, "/v1/accounts/"+closed.account+"/closing", "", 202)
	w.answerClosing(t, closed.account)
	admin.account = closed.account
	add("POST /v1/staff/accounts/{account}/reopen", admin, "")
	add("POST /v1/staff/users/{user}/lock", admin, `{"reason":"x"}`, "{user}", person().id)
	locked := person()
	w.must(t, admin, http.MethodPost, "/v1/staff/users/"+locked.id+"/lock", `{"reason":"x"}`, 200)
	add("POST /v1/staff/users/{user}/unlock", admin, "", "{user}", locked.id)
	add("POST /v1/me/close", w.member(t, "gone"), `{"password":"`+password+`"}`)
	add("POST /portal/me/security/close", w.member(t, "lost"), "password="+strings.ReplaceAll(password, " ", "+"))
	_, leaver := w.delegate(t, ada, w.member(t, "leaver"), onAll)
	add("POST /portal/{account}/security/close", leaver, "password="+strings.ReplaceAll(password, " ", "+"))
	for at, form := range map[string]string{"POST /v1/delegations/accept": `{"token":"%s"}`, "POST /portal/invitation": "answer=accept&token=%s"} {
		guest := person()
		_, secret := w.invite(t, ada, guest.email, onAll)
		add(at, guest, fmt.Sprintf(form, secret))
	}
	for at, body := range map[string]string{
		"PATCH /v1/accounts/{account}/delegations/{id}":  `{"permissions":["tickets.read"]}`,
		"POST /portal/{account}/users/{id}":              "rights=chosen&permissions=tickets.read&reach=all",
		"DELETE /v1/accounts/{account}/delegations/{id}": "",
		"POST /portal/{account}/users/{id}/revoke":       "",
	} {
		id, _ := acting(ada)
		add(at, ada, body, "{id}", id)
	}
	for _, at := range []string{"POST /v1/accounts/{account}/leave", "POST /portal/{account}/leave"} {
		_, leaver := acting(ada)
		add(at, leaver, "")
	}
	add("POST /v1/staff/members", admin, fmt.Sprintf(`{"email":%q,"role":"support"}`, w.member(t, "hired").email))
	add("POST /portal/staff/members", admin, "role=support&email="+w.member(t, "taken").email)
	for at, body := range map[string]string{
		"PATCH /v1/staff/members/{id}":               `{"role":"billing"}`,
		"POST /portal/staff/members/{id}":            "role=billing",
		"DELETE /v1/staff/members/{id}":              "",
		"POST /portal/staff/members/{id}/deactivate": "",
	} {
		member := w.hired(t, fmt.Sprint("colleague", len(at)), delegation.RoleSupport)
		add(at, admin, body, "{id}", member.id)
	}
	add("POST /v1/accounts/{account}/api-tokens", bob, `{"name":"x","permissions":["tickets.read"]}`)
	add("POST /portal/{account}/tokens", bob, "name=x&rights=chosen&permissions=tickets.read")
	for _, at := range []string{"DELETE /v1/accounts/{account}/api-tokens/{id}", "POST /portal/{account}/tokens/{id}/revoke"} {
		id, _ := w.token(t, bob, bob.account, `{"name":"x","permissions":["tickets.read"]}`)
		add(at, bob, "", "{id}", id)
	}
	w.Settle()
	return all
}
