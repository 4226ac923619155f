package http_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/seller"
	"github.com/hostfold/hostfold/eventstore"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/answers"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

func TestMain(m *testing.M) { vaulttest.Main(m) }

// world is a whole portal behind its HTTP handler: an engine in memory, a real
// Postgres, lanes that run.
type world struct {
	*projectiontest.Side
	handler    http.Handler
	vault      *vault.Vault
	dispatcher *commands.Dispatcher
	keyFile    string
	// ahead is how far the world's clock is ahead of the wall's.
	ahead atomic.Int64
}

// clock is the world's time.
func (w *world) clock() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// begin makes an empty world; change may alter the server's configuration.
func begin(t testing.TB, change ...func(*portalhttp.Config)) *world {
	t.Helper()
	w := &world{Side: projectiontest.Start(t, catalog.Types(), projections.Models()...)}
	w.keyFile = filepath.Join(t.TempDir(), "kek")
	w.vault = vaulttest.OpenWith(t, w.DB, w.Store, w.keyFile, w.clock)
	w.serve(t, change...)
	return w
}

// serve gives the world its handler; its lanes run.
func (w *world) serve(t testing.TB, change ...func(*portalhttp.Config)) {
	t.Helper()
	w.dispatcher = &commands.Dispatcher{
		Store: listing{w.Store, t}, Codec: w.Codec, Vault: w.vault, Pepper: w.vault.Pepper(), Clock: w.clock, Rand: rand.Reader,
	}
	w.Reader.Witnessed(commands.NewWitness(w.dispatcher))
	c := config()
	c.Clock = w.clock
	c.Dispatcher, c.Vault, c.Reader, c.Answers = w.dispatcher, w.vault, w.Reader, answers.Store{DB: w.DB}
	c.Feed, c.Audit = projections.NewFeed(w.Reader, w.Store, w.Codec), projections.NewAudit(w.Reader, w.Store, w.LogID)
	w.follow(t, c.Feed)
	for _, f := range change {
		f(&c)
	}
	w.handler = portalhttp.New(c)
}

// follow wakes who waits for events, until the test ends.
func (w *world) follow(t testing.TB, feed *projections.Feed) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// party is somebody who calls the API.
type party struct {
	id, email, token string
	// account is the party's own account, "" without one.
	account string
}

// nobody has no session.
var nobody = party{}

const password = "correct horse battery staple"

// signUp registers a user and logs it in.
func (w *world) signUp(t testing.TB, name string) party {
	t.Helper()
	p := party{email: name + "@example.com"}
	body := fmt.Sprintf(`{"email":%q,"password":%q,"name":%q,"locale":"en"}`, p.email, password, name)
	p.id = w.must(t, nobody, http.MethodPost, "/v1/users", body, http.StatusCreated).ID(t)
	return w.logIn(t, p)
}

func (w *world) logIn(t testing.TB, p party) party {
	t.Helper()
	a := w.must(t, nobody, http.MethodPost, "/v1/sessions", fmt.Sprintf(`{"email":%q,"password":%q}`, p.email, password), http.StatusCreated)
	p.token = a.text(t, "token")
	return p
}

// member is a user who has followed the link of the mail that verifies its address.
func (w *world) member(t testing.TB, name string) party {
	t.Helper()
	p := w.signUp(t, name)
	cause := uuid.New()
	if err := w.dispatcher.MailVerification(t.Context(), system(), cause, w.clock(), p.id); err != nil {
		t.Fatal(err)
	}
	secret, found, err := w.vault.MailSecret(t.Context(), commands.MessageID(cause, mailtext.VerifyEmail, p.id))
	if err != nil || !found {
		t.Fatal("no mail was queued", err)
	}
	w.must(t, p, http.MethodPost, "/v1/users/verify-email", `{"token":"`+secret+`"}`, http.StatusNoContent)
	return p
}

// customer is a member with an account.
func (w *world) customer(t testing.TB, name string) party {
	t.Helper()
	p := w.member(t, name)
	a := w.must(t, p, http.MethodPost, "/v1/accounts", fmt.Sprintf(`{"name":%q,"kind":"individual","country":"FR","currency":"EUR"}`, name), http.StatusCreated)
	p.account = a.ID(t)
	w.Settle() // the answer waited for the rights alone
	return p
}

// staff is an admin, with a second factor.
func (w *world) staff(t testing.TB) party {
	t.Helper()
	return w.hired(t, "staff", delegation.RoleAdmin)
}

// hired is a staff member with a role and a second factor.
func (w *world) hired(t testing.TB, name string, role delegation.Role) party {
	t.Helper()
	p, _ := w.hire(t, name, role)
	return p
}

// hire is hired, with what makes the second factor's codes.
func (w *world) hire(t testing.TB, name string, role delegation.Role) (party, app) {
	t.Helper()
	p := party{email: name + "@example.com"}
	done, err := w.dispatcher.CreateStaff(t.Context(), system(), commands.CreateStaff{
		RegisterUser: commands.RegisterUser{Email: p.email, Password: password, Name: "Staff", Locale: "en"}, Role: role,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.await(t, projections.RightsModel, done.Position)
	p.id = done.ID
	p = w.logIn(t, p)
	phone, _ := w.enrol(t, p)
	return p, phone
}

// confirm proves a second factor in a party's session, which goes on under
// another token.
func (w *world) confirm(t testing.TB, p *party, phone app) {
	t.Helper()
	p.token = w.must(t, *p, http.MethodPost, "/v1/me/confirmations", fmt.Sprintf(`{"totp":%q}`, phone.next(t)), http.StatusOK).text(t, "token")
}

// sells configures the seller, without whom nothing is invoiced.
func (w *world) sells(t testing.TB) {
	t.Helper()
	_, err := commands.Execute(t.Context(), w.dispatcher, system(), commands.SetSeller{Details: seller.Details{
		Name: "Exemple", LegalForm: "SAS", SIREN: "123456789", VATNumber: "FR32123456789",
		ShareCapital: money.EUR(1000000), RCS: "Lyon", Email: "contact@example.com",
		Address: seller.Address{Line1: "1 rue de la Paix", PostalCode: "75002", City: "Paris", Country: "FR"},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func system() commands.Call {
	return commands.Call{
		CommandID: uuid.New(), Actor: domain.Actor{Kind: domain.ActorSystem, ID: "test"}, Grants: delegation.Grants{System: true},
	}
}

func (w *world) await(t testing.TB, model string, p eventstore.Position) {
	t.Helper()
	if err := w.Runner.Wait(t.Context(), model, p); err != nil {
		t.Fatal(err)
	}
}

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request as a party.
func (w *world) do(t testing.TB, as party, method, path, body string, headers ...string) answer {
	t.Helper()
	if as.token != "" {
		headers = append([]string{"Authorization", "Bearer " + as.token}, headers...)
	}
	return send(t, w.handler, method, path, body, headers...)
}

// must is do for a request that succeeds.
func (w *world) must(t testing.TB, as party, method, path, body string, status int, headers ...string) answer {
	t.Helper()
	a := w.do(t, as, method, path, body, headers...)
	if a.status != status {
		t.Fatalf("%s %s answered %d, not %d: %s", method, path, a.status, status, a.body)
	}
	return a
}

// see reads what is shown once a write has reached it.
func (w *world) see(t testing.TB, as party, path string, after answer) answer {
	t.Helper()
	a := w.must(t, as, http.MethodGet, path, "", http.StatusOK, "Consistency-Token", after.header.Get("Consistency-Token"), "Prefer", "wait=30")
	if a.header.Get("Stale") != "" {
		t.Fatalf("%s is stale", path)
	}
	return a
}

// ID is the id in the answer.
func (a answer) ID(t testing.TB) string {
	t.Helper()
	return a.text(t, "id")
}

// text is a field of the answer.
func (a answer) text(t testing.TB, name string) string {
	t.Helper()
	v, ok := a.fields(t)[name].(string)
	if !ok {
		t.Fatalf("no %s in %s", name, a.body)
	}
	return v
}

func (a answer) fields(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return v
}

// items are those of a list.
func (a answer) items(t testing.TB) []any {
	t.Helper()
	v, ok := a.fields(t)["items"].([]any)
	if !ok {
		t.Fatalf("no items in %s", a.body)
	}
	return v
}

// code is the code of a problem.
func (a answer) code(t testing.TB) string {
	t.Helper()
	return a.text(t, "code")
}

// facts are the checksums of the read models, but for what was recorded of
// staff who looked: of that, as of everything, only other facts count.
func (w *world) facts(t testing.TB) map[string]string {
	t.Helper()
	sums := w.Checksums()
	for _, table := range []string{"read.event_pointer", "read.history"} {
		var n int
		if err := w.DB.QueryRow(t.Context(), `SELECT count(*) FROM `+table+` WHERE type NOT LIKE 'inspection.%'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		sums[table] = strconv.Itoa(n)
	}
	delete(sums, "read.inspection") // what was looked at
	return sums
}
