package main_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
)

// The words that are looked for: what the erased customer has said, and staff
// of it, each in one place only; and what its invoices hold.
var (
	personal = map[string]string{
		"name": "zoé-canary-name", "former name": "zoé-canary-former", "email": "canary.7f3a@example.com", "former email": "canary.former@example.com", "account": "zoé-canary-account",
		"former account": "canary-enterprise-ö", "VAT number": "FRCANARY7F3A9",
		"street": "rue-du-canari-jaune", "house": "bâtiment-du-canari", "postal code": "canary-75002", "city": "Canarville-sur-Œuvre",
		"billing name": "canary-billing-œ", "billing email": "canary.billing@example.com", "billing street": "impasse-du-canari-bleu",
		"billing house": "étage-du-canari", "billing postal code": "canary-101-8656", "billing city": "Canarbourg-à-l'Est",
		"company number": "CANARY-REG-7F3A", "billing VAT number": "JPCANARY7F3A9",
		"subject": "canary-subject-ü", "message": "canary-message-ß", "reply": "canary-reply-ç", "staff's reply": "canary-answer-ñ",
		"contact name": "canary-contact-å", "former contact": "canary-contact-æ", "contact organisation": "canary-organisation-ø", "contact email": "canary.contact@example.com", "contact phone": "+33698127043",
		"contact street": "allée-du-canari-vert", "contact house": "résidence-du-canari", "contact postal code": "canary-69001", "contact city": "Canarbourg-lès-Forêt", "contact region": "Région-du-Canari",
		"invited": "canary.invited@example.com", "offered": "canary.offered@example.com",
		"API token": "canary-token-ö", "domain": "canary-7f3a-expired.example",
		"reason to act": "canary-act-ë", "reason to lock": "canary-lock-ï", "reason to reset": "canary-reset-ÿ",
	}
	fiscal = map[string]string{"line": "canary-line-é", "reference": "canary-reference-à", "credited line": "canary-credited-ò", "reason to credit": "canary-credit-ù"}

	// noRows are the words that no row has: the log alone has them, encrypted.
	noRows = []string{
		personal["former name"], personal["former email"], personal["former account"], personal["former contact"], personal["reason to lock"], personal["reason to reset"],
	}
)

// everyWord is all that is looked for.
func everyWord() []string {
	all := slices.Concat(slices.Collect(maps.Values(personal)), slices.Collect(maps.Values(fiscal)))
	slices.Sort(all)
	return all
}

const customerPassword = "correct horse battery staple 42"

// erasable is a customer with invoices, a ticket, mails, and whatever else it
// can have that may be erased. (Not a service: none has an end yet.)
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
	c.register()
	c.bill()
	c.talk()
	c.share()
	c.resetFactors()
	for _, to := range []string{"contact email", "invited", "offered"} {
		until(t, "the mail to "+personal[to], func() bool { return len(c.mails(personal[to])) > 0 })
	}
	until(t, "the customer's mails", func() bool { return len(c.mails(personal["email"])) > 2 })
	return c
}

// register makes the user, whom staff lock for a moment, and its account.
func (c *erasable) register() {
	c.t.Helper()
	c.must("register", "", "POST", "/v1/users", map[string]any{"email": personal["former email"], "password": customerPassword, "name": personal["former name"], "locale": "fr"})
	c.token = c.logIn(personal["former email"], customerPassword)
	me, err := c.send(c.t.Context(), "GET", "/v1/me", c.token, "", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.user = me.id()
	c.must("lock", c.staff, "POST", "/v1/staff/users/"+c.user+"/lock", map[string]any{"reason": personal["reason to lock"]})
	c.must("unlock", c.staff, "POST", "/v1/staff/users/"+c.user+"/unlock", nil)
	c.token = c.logIn(personal["former email"], customerPassword)
	c.must("verify", c.token, "POST", "/v1/users/verify-email", map[string]any{"token": c.link("former email", "verify-email")})
	c.must("e-mail", c.token, "POST", "/v1/me/email", map[string]any{"email": personal["email"], "password": customerPassword})
	c.must("verify again", c.token, "POST", "/v1/users/verify-email", map[string]any{"token": c.link("email", "verify-email")})
	c.must("name", c.token, "PATCH", "/v1/me", map[string]any{"name": personal["name"]})
	address := map[string]any{"line1": personal["street"], "line2": personal["house"], "postal_code": personal["postal code"], "city": personal["city"]}
	c.account = c.must("account", c.token, "POST", "/v1/accounts", map[string]any{
		"name": personal["former account"], "kind": "company", "country": "FR", "currency": "EUR", "vat_number": personal["VAT number"],
		"address": address,
	}).id()
	c.must("account's name", c.token, "PATCH", "/v1/accounts/"+c.account, map[string]any{"name": personal["account"]})
}

// bill issues an invoice, and to the billing identity another one that is credited.
func (c *erasable) bill() {
	c.t.Helper()
	issue := func(line string) string {
		path := "/v1/staff/accounts/" + c.account + "/invoices"
		id := c.must("draft", c.staff, "POST", path, map[string]any{"lines": []any{map[string]any{
			"description": line, "quantity": "1", "unit_price": eur("10.00"), "vat_rate": "20",
		}}}).id()
		c.must("issue", c.staff, "POST", path+"/"+id+"/issue", nil)
		return id
	}
	c.invoice = issue(fiscal["line"])
	c.must("billing identity", c.token, "PUT", "/v1/accounts/"+c.account+"/billing-identity", map[string]any{
		"kind": "company", "name": personal["billing name"], "country": "JP", "email": personal["billing email"],
		"company_number": personal["company number"], "vat_number": personal["billing VAT number"],
		"address": map[string]any{
			"line1": personal["billing street"], "line2": personal["billing house"],
			"postal_code": personal["billing postal code"], "city": personal["billing city"],
		},
	})
	c.must("credit", c.staff, "POST", "/v1/staff/accounts/"+c.account+"/invoices/"+issue(fiscal["credited line"])+"/credit", map[string]any{"reason": fiscal["reason to credit"]})
}

// talk opens a ticket, which staff answer and act for the customer upon.
func (c *erasable) talk() {
	c.t.Helper()
	own, act := "/v1/accounts/"+c.account, "/v1/staff/accounts/"+c.account+"/impersonation"
	ticket := c.must("ticket", c.token, "POST", own+"/tickets", map[string]any{
		"department": "technical", "priority": "normal", "subject": personal["subject"], "message": personal["message"],
	}).id()
	c.must("reply", c.token, "POST", own+"/tickets/"+ticket+"/replies", map[string]any{"message": personal["reply"]})
	c.must("answer", c.staff, "POST", "/v1/staff/tickets/"+ticket+"/replies", map[string]any{"message": personal["staff's reply"]})
	c.must("act", c.staff, "POST", act, map[string]any{"reason": personal["reason to act"], "ticket": ticket})
	c.must("stop", c.staff, "DELETE", act, nil)
}

// share brings others in: a contact, an invitation, a program, a new owner; and
// a domain name that has expired.
func (c *erasable) share() {
	c.t.Helper()
	own := "/v1/accounts/" + c.account
	contact := c.must("contact", c.token, "POST", own+"/contacts", map[string]any{
		"kind": "organisation", "name": personal["former contact"], "organisation": personal["contact organisation"],
		"email": personal["contact email"], "phone": personal["contact phone"],
		"address": map[string]any{
			"line1": personal["contact street"], "line2": personal["contact house"], "postal_code": personal["contact postal code"],
			"city": personal["contact city"], "region": personal["contact region"], "country": "FR",
		},
	}).id()
	c.must("contact's e-mail", "", "POST", "/v1/contacts/verify-email", map[string]any{"token": c.link("contact email", "verify-contact")})
	c.must("contact's name", c.token, "PATCH", own+"/contacts/"+contact, map[string]any{"name": personal["contact name"]})
	c.must("invite", c.token, "POST", own+"/delegations", map[string]any{
		"email": personal["invited"], "permissions": []string{"invoices.read"}, "scope": map[string]any{"all": true},
	})
	if a := c.patient(own+"/api-tokens", c.token, map[string]any{"name": personal["API token"], "permissions": []string{"invoices.read"}}); !a.ok() {
		c.t.Fatalf("API token: %d %v", a.Status, a.Body)
	}
	c.must("offer", c.token, "POST", own+"/ownership-transfers", map[string]any{"email": personal["offered"]})
	c.must("domain", c.staff, "POST", "/v1/staff/accounts/"+c.account+"/domains", map[string]any{
		"name": personal["domain"], "registered_on": "2024-03-01", "expires_on": "2025-03-01",
	})
}

// resetFactors gives the customer a second factor, which staff begin to reset.
func (c *erasable) resetFactors() {
	c.t.Helper()
	c.enrol(c.token)
	path := "/v1/staff/users/" + c.user + "/factor-reset"
	c.must("reset", c.staff, "POST", path, map[string]any{"reason": personal["reason to reset"]})
	c.must("keep", c.staff, "DELETE", path, nil)
}

// mails are the files of what was sent to any of some addresses.
func (c *erasable) mails(to ...string) (found []string) {
	c.t.Helper()
	all, err := filepath.Glob(filepath.Join(c.portal.dir, "mail", "*.eml"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err == nil && slices.ContainsFunc(to, func(address string) bool { return strings.Contains(string(text), address) }) {
			found = append(found, name)
		}
	}
	return found
}

// link is the secret that a mail takes to a page.
func (c *erasable) link(to, page string) (secret string) {
	c.t.Helper()
	behind := regexp.MustCompile("/" + page + "#([A-Za-z0-9_-]{20,})")
	until(c.t, "the link to "+page, func() bool {
		for _, name := range c.mails(personal[to]) {
			text, err := os.ReadFile(name)
			if err != nil {
				c.t.Fatal(err)
			}
			if m := behind.FindStringSubmatch(strings.ReplaceAll(string(text), "=\r\n", "")); m != nil {
				secret = m[1]
			}
		}
		return secret != ""
	})
	return secret
}

func (c *erasable) pay() {
	c.must("payment", c.staff, "POST", "/v1/staff/accounts/"+c.account+"/invoices/"+c.invoice+"/payments", map[string]any{
		"amount": eur("12.00"), "reference": fiscal["reference"], "received_on": time.Now().UTC().Format(time.DateOnly),
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
	p.Run(t, "", "privacy", "hold", personal["email"], "--reference", "2026/17")
	if got := ask(customerPassword); got != http.StatusConflict {
		t.Errorf("asked under a hold: %d", got)
	}
	p.Run(t, "", "privacy", "lift", c.user)

	// Before: in the read models and in the mails, and nowhere else in clear.
	p.Stop(t)
	all := everyWord()
	sayEveryField(t, p.Run(t, "", "audit", "export", "--decrypt"), all)
	rows := slices.DeleteFunc(slices.Clone(all), func(w string) bool { return slices.Contains(noRows, w) })
	before := places{portal: p, log: p.log.String()}.look(t, all, func(db *pgx.Conn) {
		if _, err := db.Exec(t.Context(), `CHECKPOINT`); err != nil {
			t.Fatal(err)
		}
	})
	if diff := cmp.Diff(rows, wordsIn(before, "table read.")); diff != "" {
		t.Errorf("before the erasure, in the read models (-want +got):\n%s", diff)
	}
	for place, want := range map[string][]string{
		postgresFiles: rows,
		"mail":        {personal["email"], personal["former email"], personal["contact email"], personal["invited"], personal["offered"]},
	} {
		got := wordsIn(before, place)
		if missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return slices.Contains(got, w) }); len(missing) > 0 {
			t.Errorf("before the erasure, %s has not %v", place, missing)
		}
	}
	for _, h := range before {
		if !strings.HasPrefix(h.in, "table read.") && !slices.Contains([]string{postgresFiles, postgresLog, "mail"}, h.in) {
			t.Errorf("before the erasure: %s", h)
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
	until(t, "the end of the customer's mails", func() bool {
		return len(c.mails(personal["email"], personal["former email"], personal["billing email"], personal["contact email"], personal["invited"], personal["offered"])) == 0
	})
	c.afterErasure()
	p.Run(t, "", "projections", "verify") // redacted rows are those that a rebuild makes
	// What the law wants kept is read on this machine alone.
	for what, command := range map[string][]string{
		personal["name"]:         {"audit", "replay", "--decrypt", "--stream", "user-" + c.user},
		personal["billing name"]: {"audit", "replay", "--decrypt", "--stream", "account-" + c.account},
		`"ip":"127.0.0.1"`:       {"privacy", "logins", c.user},
	} {
		if got := string(p.Run(t, "", command...)); !strings.Contains(got, what) {
			t.Errorf("%v shows no %s:\n%s", command, what, got)
		}
	}

	// After: nowhere; and what is planted in each place is found there alone.
	p.Stop(t)
	k := newCanaries(t)
	after := k.plant(t, places{portal: p, log: p.log.String()}).look(t, append(k.words(), all...), func(db *pgx.Conn) {
		k.plantRows(t, db)
		scrub(t, db)
		k.plantLog(t, db)
	})
	found := map[string][]string{}
	for _, h := range after {
		if slices.Contains(all, h.Word) {
			t.Errorf("after the erasure: %s", h)
			continue
		}
		// What the node's folder shows of an event depends on how it is compressed.
		if h.in == "node" && slices.Contains(k.found[h.Word], rawEvents+" as "+h.As) {
			continue
		}
		if where := h.in + " as " + h.As; !slices.Contains(found[h.Word], where) {
			found[h.Word] = append(found[h.Word], where)
		}
	}
	if diff := cmp.Diff(k.found, found, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("where planted words were found (-want +got):\n%s", diff)
	}
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
	if a, err := c.send(c.t.Context(), "POST", "/v1/sessions", "", "", map[string]any{"email": personal["email"], "password": customerPassword}); err != nil || a.Status != http.StatusUnauthorized {
		c.t.Errorf("the erased user logs in: %d, %v", a.Status, err)
	}
	if a := get(c.staff, "/v1/accounts/"+c.account); a.Body["name"] != "[erased]" {
		c.t.Errorf("the profile shows %v", a.Body)
	}
	// The invoice is whole until its own date, for those who may see it.
	whole := get(c.staff, "/v1/accounts/"+c.account+"/invoices/"+c.invoice)
	if text := fmt.Sprint(whole.Body); !strings.Contains(text, personal["account"]) || !strings.Contains(text, fiscal["line"]) || !strings.Contains(text, fiscal["reference"]) {
		c.t.Errorf("the invoice is not whole: %s", text)
	}
	// The address is free.
	if a, err := c.send(c.t.Context(), "POST", "/v1/users", "", "", map[string]any{"email": "another@example.com", "password": customerPassword, "name": "Another", "locale": "fr"}); err != nil || a.Status != http.StatusCreated {
		c.t.Errorf("register: %d, %v", a.Status, err)
	}
}
