package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/cmd/hostfold/scan"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/projections/postgres"
)

// The words that only the erased customer has said, each in its own place, and
// those that its invoices hold.
var (
	profileWords = []string{"zoé-canary-name", "zoé-canary-account", "canary.7f3a@example.com", "rue-du-canari-jaune", "canary-subject-ü", "canary-message-ß", "canary-reply-ç", "canary-billing-œ", "canary.billing@example.com"}
	fiscalWords  = []string{"canary-line-é", "canary-reference-à"}
)

const customerPassword = "correct horse battery staple 42"

// erasable is a customer with invoices, a ticket and mails.
type erasable struct {
	*world
	token, user, account, invoice string
}

func newErasable(t *testing.T, p *portal) *erasable {
	t.Helper()
	p.Run(t, customerPassword+"\n", "staff", "create", "--email", "staff@example.com", "--name", "Staff", "--role", "admin", "--password-stdin")
	p.Run(t, "", "seller", "set", sellerFile(t))
	c := &erasable{world: &world{t: t, portal: p, client: &http.Client{Timeout: 20 * time.Second}}}
	c.staff = c.logIn("staff@example.com", customerPassword)
	c.enrol(c.staff)
	c.must("register", "", "POST", "/v1/users", map[string]any{"email": profileWords[2], "password": customerPassword, "name": profileWords[0], "locale": "fr"})
	c.token = c.logIn(profileWords[2], customerPassword)
	c.account = c.must("account", c.token, "POST", "/v1/accounts", map[string]any{
		"name": profileWords[1], "kind": "individual", "country": "FR", "currency": "EUR",
		"address": map[string]any{"line1": profileWords[3], "postal_code": "75002", "city": "Paris"},
	}).id()
	me, err := c.send(t.Context(), "GET", "/v1/me", c.token, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.user = me.id()
	staff, own := "/v1/staff/accounts/"+c.account, "/v1/accounts/"+c.account
	c.invoice = c.must("draft", c.staff, "POST", staff+"/invoices", map[string]any{"lines": []any{map[string]any{
		"description": fiscalWords[0], "quantity": "1", "unit_price": eur("10.00"), "vat_rate": "20",
	}}}).id()
	c.must("issue", c.staff, "POST", staff+"/invoices/"+c.invoice+"/issue", nil)
	c.must("billing identity", c.token, "PUT", own+"/billing-identity", map[string]any{
		"kind": "individual", "name": profileWords[7], "country": "FR", "email": profileWords[8],
		"address": map[string]any{"line1": profileWords[3], "postal_code": "75002", "city": "Paris"},
	})
	ticket := c.must("ticket", c.token, "POST", own+"/tickets", map[string]any{
		"department": "technical", "priority": "normal", "subject": profileWords[4], "message": profileWords[5],
	}).id()
	c.must("reply", c.token, "POST", own+"/tickets/"+ticket+"/replies", map[string]any{"message": profileWords[6]})
	until(t, "the customer's mails", func() bool { return len(c.mails()) > 1 }) // to verify the address, and the invoice's
	return c
}

// mails are the files of what was sent to the customer.
func (c *erasable) mails() (found []string) {
	c.t.Helper()
	all, err := filepath.Glob(filepath.Join(c.portal.dir, "mail", "*.eml"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, name := range all {
		if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), profileWords[2]) {
			found = append(found, name)
		}
	}
	return found
}

func (c *erasable) pay() {
	c.must("payment", c.staff, "POST", "/v1/staff/accounts/"+c.account+"/invoices/"+c.invoice+"/payments", map[string]any{
		"amount": eur("12.00"), "reference": fiscalWords[1], "received_on": time.Now().UTC().Format(time.DateOnly),
	})
}

// erasure is what staff are told of the erasure.
func (c *erasable) erasure() answer {
	a, err := c.send(c.t.Context(), "GET", "/v1/staff/users/"+c.user+"/erasure", c.staff, "", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// until waits for what other processes do.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// places are where something about a person could be left.
type places struct {
	portal *portal
	log    string // of the server
}

// dump is every table but the store's own, as pg_dump would write it.
func dump(t *testing.T, db *pgx.Conn) map[string][]byte {
	t.Helper()
	rows, err := db.Query(t.Context(), `
		SELECT format('%I.%I', table_schema, table_name)
		FROM information_schema.tables
		WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, table := range tables {
		var out bytes.Buffer
		if _, err := db.PgConn().CopyTo(t.Context(), &out, `COPY `+table+` TO STDOUT`); err != nil {
			t.Fatal(err)
		}
		all[table] = out.Bytes()
	}
	return all
}

// look looks for words everywhere while the server is down. Prepare, which may
// be nil, works on the database first.
func (l places) look(t *testing.T, words []string, prepare func(db *pgx.Conn)) []scan.Hit {
	t.Helper()
	s, err := scan.New(words...)
	if err != nil {
		t.Fatal(err)
	}
	var hits []scan.Hit
	read := func(place string, data []byte) {
		t.Helper()
		found, err := s.Read(place, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		hits = append(hits, found...)
	}
	read("log", []byte(l.log))
	read("export", l.portal.Run(t, "", "audit", "export"))
	l.withDatabase(t, func(db *pgx.Conn) {
		if prepare != nil {
			prepare(db)
		}
		for table, rows := range dump(t, db) {
			read("table "+table, rows)
		}
	})
	found, err := s.Folder(l.portal.dir)
	if err != nil {
		t.Fatal(err)
	}
	return append(hits, found...)
}

// withDatabase runs the private Postgres alone.
func (l places) withDatabase(t *testing.T, do func(db *pgx.Conn)) {
	t.Helper()
	server, err := postgres.Start(t.Context(), postgres.Config{Dir: filepath.Join(l.portal.dir, "postgres"), Binaries: os.Getenv("HOSTFOLD_POSTGRES")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	db, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	do(db)
}

// scrub is what docs/privacy.md tells an operator to do after an erasure.
func scrub(t *testing.T) func(db *pgx.Conn) {
	t.Helper()
	return func(db *pgx.Conn) {
		for _, sql := range []string{`ANALYZE`, `VACUUM FULL`, `CHECKPOINT`, `SELECT pg_switch_wal()`, `CHECKPOINT`} {
			if _, err := db.Exec(t.Context(), sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
	}
}

// in are the hits at places that begin with something.
func in(hits []scan.Hit, place string) (found []string) {
	for _, h := range hits {
		if strings.HasPrefix(h.Place, place) && !slices.Contains(found, h.Word) {
			found = append(found, h.Word)
		}
	}
	slices.Sort(found)
	return found
}

func TestNothingOfAnErasedCustomerIsLeftButTheEncryptedFiscalCopy(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a search through everything, which make test runs")
	}
	p := newPortal(t)
	p.Start(t)
	c := newErasable(t, p)

	// What is not settled refuses, with the reason; so does a hold.
	ask := func(password string) int {
		a, err := c.send(t.Context(), "POST", "/v1/me/erasure", c.token, "", map[string]any{"password": password})
		if err != nil {
			t.Fatal(err)
		}
		return a.Status
	}
	if got := ask("something else entirely"); got != http.StatusUnprocessableEntity {
		t.Errorf("a wrong password: %d", got)
	}
	if got := ask(customerPassword); got != http.StatusAccepted {
		t.Fatalf("asked: %d", got)
	}
	until(t, "the refusal", func() bool { return c.erasure().Body["status"] == "refused" })
	if got := fmt.Sprint(c.erasure().Body["reasons"]); got != "[unpaid_invoices]" {
		t.Errorf("refused for %s", got)
	}
	c.pay()
	p.Run(t, "", "privacy", "hold", profileWords[2], "--reference", "2026/17")
	if got := ask(customerPassword); got != http.StatusConflict {
		t.Errorf("asked under a hold: %d", got)
	}
	p.Run(t, "", "privacy", "lift", c.user)

	// Before: in the read models and in the mails, and nowhere else.
	p.Stop(t)
	all := slices.Concat(profileWords, fiscalWords)
	before := places{portal: p, log: p.log.String()}.look(t, all, func(db *pgx.Conn) {
		if _, err := db.Exec(t.Context(), `CHECKPOINT`); err != nil {
			t.Fatal(err)
		}
	})
	for _, place := range []string{"table read.", filepath.Join(p.dir, "postgres", "data", "base")} {
		if got, want := in(before, place), slices.Sorted(slices.Values(all)); !slices.Equal(got, want) {
			t.Errorf("before the erasure %s has %v, want %v", place, got, want)
		}
	}
	if got := in(before, filepath.Join(p.dir, "mail")); !slices.Contains(got, profileWords[2]) {
		t.Errorf("the mails have %v", got)
	}
	for _, place := range []string{"export", "log", filepath.Join(p.dir, "node"), "table river.", "table web.", "table vault.", "table feed."} {
		if got := in(before, place); len(got) > 0 {
			t.Errorf("before the erasure %s has %v in clear", place, got)
		}
	}

	p.Start(t)
	if got := ask(customerPassword); got != http.StatusAccepted {
		t.Fatalf("asked: %d", got)
	}
	until(t, "the erasure", func() bool {
		row := c.erasure().Body
		return row["status"] == "accepted" && !strings.Contains(fmt.Sprint(row["kept"]), "profile")
	})
	until(t, "the end of the customer's mails", func() bool { return len(c.mails()) == 0 })
	c.afterErasure()
	p.Run(t, "", "projections", "verify") // redacted rows are those that a rebuild makes

	p.Stop(t)
	plants := c.plant(t)
	after := places{portal: p, log: p.log.String() + "\n" + plants["log"]}.look(t, append(slices.Clone(all), values(plants)...), scrub(t))
	for _, h := range after {
		if slices.Contains(all, h.Word) {
			t.Errorf("after the erasure: %s", h)
		}
	}
	for place, word := range plants {
		if !slices.ContainsFunc(after, func(h scan.Hit) bool { return h.Word == word }) {
			t.Errorf("the canary in %s was not found", place)
		}
	}
}

func values(m map[string]string) (all []string) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

// afterErasure looks at what the portal shows.
func (c *erasable) afterErasure() {
	c.t.Helper()
	get := func(token, path string) answer {
		a, err := c.send(c.t.Context(), "GET", path, token, "", nil)
		if err != nil {
			c.t.Fatal(err)
		}
		return a
	}
	if a := get(c.token, "/v1/me"); a.Status != http.StatusUnauthorized {
		c.t.Errorf("the session lives on: %d", a.Status)
	}
	if a, err := c.send(c.t.Context(), "POST", "/v1/sessions", "", "", map[string]any{"email": profileWords[2], "password": customerPassword}); err != nil || a.Status != http.StatusUnauthorized {
		c.t.Errorf("the erased user logs in: %d, %v", a.Status, err)
	}
	if a := get(c.staff, "/v1/accounts/"+c.account); a.Body["name"] != "[erased]" {
		c.t.Errorf("the profile shows %v", a.Body)
	}
	// The invoice is whole until its own date, for those who may see it.
	whole := get(c.staff, "/v1/accounts/"+c.account+"/invoices/"+c.invoice)
	if text := fmt.Sprint(whole.Body); !strings.Contains(text, profileWords[1]) || !strings.Contains(text, fiscalWords[0]) || !strings.Contains(text, fiscalWords[1]) {
		c.t.Errorf("the invoice is not whole: %s", text)
	}
	// The address is free.
	if a, err := c.send(c.t.Context(), "POST", "/v1/users", "", "", map[string]any{"email": "another@example.com", "password": customerPassword, "name": "Another", "locale": "fr"}); err != nil || a.Status != http.StatusCreated {
		c.t.Errorf("register: %d, %v", a.Status, err)
	}
}

// plant puts a word into every place, while the server is down.
func (c *erasable) plant(t *testing.T) map[string]string {
	t.Helper()
	plants := map[string]string{"event": "planted-event-é", "log": "planted-log-line"}
	engine, err := node.Open(filepath.Join(c.portal.dir, "node"), node.Options{Clock: time.Now, NewID: uuid.New})
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Append(t.Context(), "planted-1", eventstore.NoStream(), eventstore.NewEvent{
		ID: uuid.New(), Type: "planted", Data: []byte(`{"name":"` + plants["event"] + `"}`), Metadata: []byte(`{}`),
	})
	if err := errors.Join(err, engine.Close()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mail/planted.eml", "blobs/planted.pdf", "node/planted"} {
		path := filepath.Join(c.portal.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		plants[name] = "planted in " + name
		if err := os.WriteFile(path, []byte(plants[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	places{portal: c.portal}.withDatabase(t, func(db *pgx.Conn) {
		for place, sql := range map[string]string{
			"job arguments": `INSERT INTO river.river_job (args, kind, max_attempts, state, finalized_at) VALUES (jsonb_build_object('name', $1::text), 'planted', 1, 'completed', now())`,
			"idempotency":   `INSERT INTO web.answer VALUES (gen_random_uuid(), '', 200, $1, 0, '', now())`,
			"read model":    `INSERT INTO read.announcement VALUES ('planted', $1, '', NULL, 0)`,
			"vault":         `INSERT INTO vault.credential VALUES ('planted', 'usr_planted', $1, now())`,
		} {
			plants[place] = "planted in " + place
			if _, err := db.Exec(t.Context(), sql, plants[place]); err != nil {
				t.Fatalf("%s: %v", place, err)
			}
		}
	})
	return plants
}
