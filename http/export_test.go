package http_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/domain/delegation"
)

func TestAnExportHoldsWhatIsHeld(t *testing.T) {
	t.Parallel()
	s := set(t)
	path := "/v1/accounts/" + s.alice.account + "/export"
	var doc struct {
		Format   int `json:"format"`
		Position struct {
			Commit uint64 `json:"commit"`
		} `json:"position"`
		Account []struct {
			ID string `json:"id"`
		} `json:"account"`
		Services []struct {
			ID string `json:"id"`
		} `json:"services"`
		Domains  []json.RawMessage `json:"domains"`
		Invoices []struct {
			Number string          `json:"number"`
			Buyer  json.RawMessage `json:"buyer"`
		} `json:"invoices"`
		CreditNotes []json.RawMessage `json:"credit_notes"`
		Tickets     []struct {
			ID       string            `json:"id"`
			Messages []json.RawMessage `json:"messages"`
		} `json:"tickets"`
		Notifications []json.RawMessage `json:"notifications"`
		Events        []struct {
			Type string `json:"type"`
		} `json:"events"`
		Complete bool `json:"complete"`
	}
	a := s.must(t, s.alice, http.MethodGet, path, "", 200)
	if err := json.Unmarshal(a.body, &doc); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if name := a.header.Get("Content-Disposition"); name != `attachment; filename="export.json"` {
		t.Errorf("it is kept as %s", name)
	}
	if !doc.Complete || doc.Format != 1 || doc.Position.Commit == 0 || len(doc.Account) != 1 || doc.Account[0].ID != s.alice.account {
		t.Errorf("the document is not whole: %s", a.body)
	}
	if len(doc.Services) == 0 || len(doc.Domains) == 0 || len(doc.Invoices) == 0 || len(doc.Invoices[0].Buyer) == 0 ||
		len(doc.CreditNotes) == 0 || len(doc.Tickets) == 0 || len(doc.Tickets[0].Messages) == 0 || len(doc.Notifications) == 0 || len(doc.Events) == 0 {
		t.Errorf("something is missing: %s", a.body)
	}
	var me struct {
		Profile []struct {
			ID string `json:"id"`
		} `json:"profile"`
		OwnAccounts []json.RawMessage `json:"own_accounts"`
		Kept        struct {
			Sessions []json.RawMessage `json:"sessions"`
		} `json:"kept"`
		Complete bool `json:"complete"`
	}
	a = s.must(t, s.alice, http.MethodGet, "/v1/me/export", "", 200)
	if err := json.Unmarshal(a.body, &me); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if !me.Complete || len(me.Profile) != 1 || len(me.OwnAccounts) != 1 || len(me.Kept.Sessions) == 0 {
		t.Errorf("something is missing: %s", a.body)
	}

	// The owner alone: not another customer, not staff.
	s.must(t, s.bob, http.MethodGet, path, "", 404)
	s.must(t, s.clerk, http.MethodGet, path, "", 403)
	s.must(t, nobody, http.MethodGet, path, "", 401)

	// That it was made is a fact, one for the exports of ten minutes.
	s.must(t, s.alice, http.MethodGet, path, "", 200)
	facts := s.must(t, s.clerk, http.MethodGet, "/v1/audit/streams/privacy-"+me.Profile[0].ID, "", 200).items(t)
	if len(facts) != 2 {
		t.Errorf("%d facts of exports, want one of the account's and one of the user's: %v", len(facts), facts)
	}
}

// unread is a client that takes the beginning of an answer, and the rest once
// it goes on.
type unread struct {
	*httptest.ResponseRecorder
	began, on chan struct{}
	once      sync.Once
	// until is the deadline of the last piece, and pieces how many there were.
	until  time.Time
	pieces int
}

func newUnread() *unread {
	return &unread{ResponseRecorder: httptest.NewRecorder(), began: make(chan struct{}), on: make(chan struct{})}
}

func (u *unread) Write(piece []byte) (int, error) {
	u.once.Do(func() { close(u.began) })
	<-u.on
	u.pieces++
	return u.ResponseRecorder.Write(piece)
}

func (u *unread) SetWriteDeadline(until time.Time) error {
	u.until = until
	return nil
}

// TestAUserHoldsOneExport has bob read his slowly: he gets no second one, and
// keeps nobody else from theirs.
func TestAUserHoldsOneExport(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada, bob := w.customer(t, "ada"), w.customer(t, "bob")
	ask := func(to http.ResponseWriter, path string) {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://portal.test"+path, http.NoBody)
		req.Header.Set("Authorization", "Bearer "+bob.token)
		w.handler.ServeHTTP(to, req)
	}
	slow := newUnread()
	var reading sync.WaitGroup
	reading.Go(func() { ask(slow, "/v1/me/export") })
	<-slow.began
	w.play(t,
		step{"a second one", bob, "GET", "/v1/me/export", "", nil, 429, "exports_busy", nil},
		step{"or of the account", bob, "GET", "/v1/accounts/" + bob.account + "/export", "", nil, 429, "exports_busy", nil},
		step{"another user's", ada, "GET", "/v1/accounts/" + ada.account + "/export", "", nil, 200, "", []string{`"complete":true`}},
	)
	close(slow.on)
	reading.Wait()
	w.play(t, step{"the next one", bob, "GET", "/v1/me/export", "", nil, 200, "", []string{`"complete":true`}})
}

// TestAnExportIsCutShortWhenItIsNotRead gives each piece a deadline of its own.
func TestAnExportIsCutShortWhenItIsNotRead(t *testing.T) {
	t.Parallel()
	w := begin(t)
	bob := w.customer(t, "bob")
	client := newUnread()
	var reading sync.WaitGroup
	reading.Go(func() {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://portal.test/v1/me/export", http.NoBody)
		req.Header.Set("Authorization", "Bearer "+bob.token)
		w.handler.ServeHTTP(client, req)
	})
	<-client.began
	if wait := client.until.Sub(w.clock()); wait <= 0 || wait > 30*time.Second {
		t.Errorf("the first piece may take %v", wait)
	}
	w.ahead.Add(int64(10 * time.Minute))
	close(client.on)
	reading.Wait()
	if wait := client.until.Sub(w.clock()); wait <= 0 || wait > 30*time.Second || client.pieces < 2 {
		t.Errorf("the last of %d pieces may take %v", client.pieces, wait)
	}
}

func TestTwoExportsAreWrittenAtATime(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada, bob, eve := w.customer(t, "ada"), w.customer(t, "bob"), w.customer(t, "eve")
	var reading sync.WaitGroup
	slow := map[string]*unread{ada.token: newUnread(), bob.token: newUnread()}
	for token, client := range slow {
		reading.Go(func() {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://portal.test/v1/me/export", http.NoBody)
			req.Header.Set("Authorization", "Bearer "+token)
			w.handler.ServeHTTP(client, req)
		})
		<-client.began
	}
	w.play(t, step{"the third", eve, "GET", "/v1/me/export", "", nil, 429, "exports_busy", nil})
	for _, client := range slow {
		close(client.on)
	}
	reading.Wait()
	w.play(t, step{"when they are done", eve, "GET", "/v1/me/export", "", nil, 200, "", []string{`"complete":true`}})
}

// TestAnExportHoldsWhatIsHeldOnOthersAccounts exports what a delegate has, who
// was locked once.
func TestAnExportHoldsWhatIsHeldOnOthersAccounts(t *testing.T) {
	t.Parallel()
	s := set(t)
	carol := s.member(t, "carol")
	s.must(t, s.clerk, http.MethodPost, "/v1/staff/users/"+carol.id+"/lock", `{"reason":"secret reason"}`, 200)
	s.must(t, s.clerk, http.MethodPost, "/v1/staff/users/"+carol.id+"/unlock", "", 200)
	held, carol := s.delegate(t, s.alice, s.logIn(t, carol), onAll)
	s.token(t, carol, s.alice.account, `{"name":"secret token","permissions":["*"]}`)
	invited, _ := s.invite(t, s.bob, "carol@example.com", onTickets)
	s.Given(s.bob.account, "delegation-dlg_former", // of who had the address before her
		delegation.DelegateInvited{Account: s.bob.account, Invitation: "ivt_former", Email: "carol@example.com"},
		delegation.InvitationAccepted{Account: s.bob.account, User: "usr_former"})
	s.Settle()
	type of[R any] struct {
		Account string `json:"account"`
		Of      R      `json:"of"`
	}
	type token struct {
		Name string `json:"name"`
	}
	type thing struct {
		ID string `json:"id"`
	}
	type said struct {
		Type string            `json:"type"`
		Said map[string]string `json:"said"`
	}
	var mine struct {
		Delegations []of[thing] `json:"delegations"`
		APITokens   []of[token] `json:"api_tokens"`
		History     []said      `json:"history"`
		Complete    bool        `json:"complete"`
	}
	a := s.must(t, carol, http.MethodGet, "/v1/me/export", "", 200)
	if err := json.Unmarshal(a.body, &mine); err != nil || !mine.Complete {
		t.Fatalf("%v: %s", err, a.body)
	}
	if want := []of[thing]{{s.alice.account, thing{held}}, {s.bob.account, thing{invited}}}; !slices.Equal(mine.Delegations, want) {
		t.Errorf("delegations %v, not %v", mine.Delegations, want)
	}
	if want := []of[token]{{s.alice.account, token{"secret token"}}}; !slices.Equal(mine.APITokens, want) {
		t.Errorf("API tokens %v, not %v", mine.APITokens, want)
	}
	if !slices.ContainsFunc(mine.History, func(s said) bool { return s.Type == "user.locked.v1" && s.Said["reason"] == "secret reason" }) {
		t.Errorf("no reason to lock in %v", mine.History)
	}
	var hers struct {
		APITokens []token `json:"api_tokens"`
	}
	a = s.must(t, s.alice, http.MethodGet, "/v1/accounts/"+s.alice.account+"/export", "", 200)
	if err := json.Unmarshal(a.body, &hers); err != nil || !slices.Equal(hers.APITokens, []token{{"secret token"}}) {
		t.Errorf("the account's tokens %v, %v", hers.APITokens, err)
	}
	// Whose mail somebody else reads gets nothing of what was sent there.
	dan, cause := s.signUp(t, "dan"), uuid.New()
	if err := s.dispatcher.MailVerification(t.Context(), system(), cause, s.clock(), dan.id); err != nil {
		t.Fatal(err)
	}
	secret, found, err := s.vault.MailSecret(t.Context(), commands.MessageID(cause, mailtext.VerifyEmail, dan.id))
	if err != nil || !found {
		t.Fatal("no mail was queued", err)
	}
	s.must(t, nobody, http.MethodPost, "/v1/users/verify-email", `{"token":"`+secret+`"}`, http.StatusNoContent)
	meant, _ := s.invite(t, s.bob, "dan@example.com", onTickets)
	s.Settle()
	if his := s.must(t, dan, http.MethodGet, "/v1/me/export", "", 200); strings.Contains(string(his.body), meant) || !strings.Contains(string(his.body), `"email_verified":true`) {
		t.Errorf("the export of who does not read the mail: %s", his.body)
	}
	if other := s.must(t, s.bob, http.MethodGet, "/v1/me/export", "", 200); strings.Contains(string(other.body), "secret token") {
		t.Errorf("another person's export: %s", other.body)
	}
}
