package http_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
	portalhttp "github.com/hostfold/hostfold/http"
)

// withheld is a body that its sender keeps back.
type withheld struct {
	io.Reader
	// awaited is closed when the server wants the body, sent when it may have it.
	awaited, sent chan struct{}
	wanted        bool
}

func (b *withheld) Read(p []byte) (int, error) {
	if !b.wanted {
		b.wanted = true
		close(b.awaited)
	}
	<-b.sent
	return b.Reader.Read(p) //nolint:wrapcheck // a pass-through
}

// connected is a recorder of an answer on a connection: while that is read for
// no longer than a request may be worked on, the end of its time ends the work.
type connected struct {
	*httptest.ResponseRecorder
	t testing.TB
}

func (c connected) SetReadDeadline(deadline time.Time) error {
	if left := time.Until(deadline); left < 30*time.Second {
		c.t.Errorf("the work ends in %s", left)
	}
	return nil
}

// hold begins a request and keeps its body back once the server waits for it;
// finish sends the body and answers what the server said.
func (w *world) hold(t testing.TB, as party, method, path, kind, body string) (finish func() answer) {
	t.Helper()
	b := &withheld{Reader: strings.NewReader(body), awaited: make(chan struct{}), sent: make(chan struct{})}
	r := httptest.NewRequest(method, "http://portal.test"+path, b) //nolint:noctx // it ends when its body does
	r.Header.Set("Cookie", "hostfold_session="+as.token)
	r.Header.Set("Content-Type", kind)
	rec, done := httptest.NewRecorder(), make(chan struct{})
	go func() { defer close(done); w.handler.ServeHTTP(connected{rec, t}, r) }()
	select {
	case <-b.awaited:
	case <-done:
	}
	return func() answer {
		close(b.sent)
		<-done
		return answer{status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
	}
}

// current is the id of a party's session.
func (w *world) current(t testing.TB, as party) string {
	t.Helper()
	for _, o := range w.must(t, as, http.MethodGet, "/v1/me/sessions", "", http.StatusOK).items(t) {
		if open, _ := o.(map[string]any); open["current"] == true {
			return fmt.Sprint(open["id"])
		}
	}
	t.Fatal("there is no such session")
	return ""
}

// TestWhoseRightsEndedWhileTheBodyCameIsNotLetIn: a sender may take its time for
// a body, and rights that end meanwhile let nobody in.
func TestWhoseRightsEndedWhileTheBodyCameIsNotLetIn(t *testing.T) {
	t.Parallel()
	const inJSON, inForm = "application/json", "application/x-www-form-urlencoded"
	s := setWith(t, withPages)
	id, carol := s.delegate(t, s.alice, s.member(t, "carol"), onAll)
	rogue := s.hired(t, "rogue", delegation.RoleAdmin)
	elsewhere := s.logIn(t, s.alice)
	session := s.current(t, elsewhere)
	account := "/v1/accounts/" + s.alice.account

	revoked := map[string]func() answer{
		"invites":         s.hold(t, carol, http.MethodPost, account+"/delegations", inJSON, `{"email":"dave@example.com",`+onAll+`}`),
		"makes a token":   s.hold(t, carol, http.MethodPost, account+"/api-tokens", inJSON, `{"name":"x","permissions":["*"]}`),
		"invites by form": s.hold(t, carol, http.MethodPost, "/portal/"+s.alice.account+"/users", inForm, "email=dave%40example.com&rights=all&reach=all"),
	}
	dismissed := map[string]func() answer{
		"hires":         s.hold(t, rogue, http.MethodPost, "/v1/staff/members", inJSON, `{"email":"bob@example.com","role":"admin"}`),
		"hires by form": s.hold(t, rogue, http.MethodPost, "/portal/staff/members", inForm, "email=bob%40example.com&role=admin"),
	}
	over := map[string]func() answer{}
	for _, address := range s.addresses(t) {
		method, path, _ := strings.Cut(address, " ")
		if method != http.MethodGet && !strings.HasSuffix(path, "/logout") && !strings.HasSuffix(path, "/sessions/current") { // which end it
			kind, body := inJSON, "{}"
			if !strings.HasPrefix(path, "/v1/") {
				kind, body = inForm, "x=y"
			}
			over[address] = s.hold(t, elsewhere, method, path, kind, body)
		}
	}

	s.must(t, s.alice, http.MethodDelete, account+"/delegations/"+id, "", http.StatusOK)
	s.must(t, s.clerk, http.MethodDelete, "/v1/staff/members/"+rogue.id, "", http.StatusOK)
	s.must(t, s.alice, http.MethodDelete, "/v1/me/sessions/"+session, "", http.StatusNoContent)

	for what, finish := range revoked {
		if a := finish(); a.status != http.StatusNotFound {
			t.Errorf("a delegate who is no more %s: %d", what, a.status)
		}
	}
	for what, finish := range dismissed {
		if a := finish(); a.status != http.StatusUnauthorized && a.header.Get("Location") != "/portal/login" {
			t.Errorf("an admin who was dismissed %s: %d", what, a.status)
		}
	}
	refused := 0
	for address, finish := range over {
		method, path, _ := strings.Cut(address, " ")
		a := finish()
		now := raw(s.handler, method, path, "", "Cookie", "hostfold_session="+elsewhere.token)
		if now.status != http.StatusUnauthorized && !strings.HasPrefix(now.header.Get("Location"), "/portal/login") {
			continue // it is for anybody
		}
		if refused++; a.status != now.status || a.header.Get("Location") != now.header.Get("Location") {
			t.Errorf("%s was let in by a session that was over: %d", address, a.status)
		}
	}
	if refused < 100 {
		t.Errorf("only %d requests need a session", refused)
	}
}

// TestAReadThatWaitedAsksForRightsAgain: what was written while it waited is
// shown to nobody whose session or rights ended meanwhile.
func TestAReadThatWaitedAsksForRightsAgain(t *testing.T) {
	t.Parallel()
	var looks atomic.Int32
	letIn := make(chan struct{})
	w := begin(t, func(c *portalhttp.Config) {
		c.Clock = func() time.Time {
			if looks.Add(-1) == 0 {
				close(letIn)
			}
			return time.Now()
		}
	})
	ada := w.customer(t, "ada")
	elsewhere := w.logIn(t, ada)
	account, session := "/v1/accounts/"+ada.account, w.current(t, elsewhere)
	head, err := w.Store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next := w.Reader.Token(eventstore.Position{Commit: head.Commit + 1, Prepare: head.Prepare + 1}).String()
	shown := make(chan answer)
	looks.Store(4) // when it began, when it asks for its caller, and twice at the session
	go func() {
		shown <- w.do(t, elsewhere, http.MethodGet, account, "", "Consistency-Token", next, "Prefer", "wait=30")
	}()
	<-letIn
	w.must(t, ada, http.MethodDelete, "/v1/me/sessions/"+session, "", http.StatusNoContent)
	w.must(t, ada, http.MethodPatch, account, `{"name":"ada's secret"}`, http.StatusOK)
	if a := <-shown; a.status != http.StatusUnauthorized {
		t.Errorf("a session that is over is shown what was written after it: %d %s", a.status, a.body)
	}
}
