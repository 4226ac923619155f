package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"
)

// write is one acknowledged write: what was asked and what was answered first.
type write struct {
	kind, method, path, token, key string
	body                           any
	answer                         answer
}

// world is what the test knows must be true, from the answers it got.
type world struct {
	t      *testing.T
	portal *portal
	client *http.Client
	staff  string // token

	inFlight, answered atomic.Int64

	mu        sync.Mutex
	writes    []write
	customers []*customer
	products  []string
}

// customer is one user with one account and what it owns.
type customer struct {
	token, account string

	mu       sync.Mutex
	services []string
	invoices []string // drafts
	issued   []string
	tickets  []string
}

// newWorld hires the staff member, sets the seller and registers the customers.
func newWorld(t *testing.T, p *portal, seed uint64) *world {
	t.Helper()
	const password = "correct horse battery staple 42"
	p.Run(t, password+"\n", "staff", "create", "--email", "staff@example.com", "--name", "Staff", "--role", "admin", "--password-stdin")
	p.Run(t, "", "seller", "set", sellerFile(t))
	w := &world{t: t, portal: p, client: &http.Client{Timeout: 20 * time.Second}}
	w.staff = w.logIn("staff@example.com", password)
	w.enrol(w.staff)
	rng := rand.New(rand.NewPCG(seed, 99))
	for i := range 2 {
		w.product(i)
	}
	for i := range 4 {
		email := emailOf(i)
		w.must("register", "", "POST", "/v1/users", map[string]any{"email": email, "password": password, "name": fmt.Sprintf("Customer %d", i), "locale": []string{"fr", "en"}[rng.IntN(2)]})
		c := &customer{token: w.logIn(email, password)}
		a := w.must("account", c.token, "POST", "/v1/accounts", map[string]any{
			"name": fmt.Sprintf("Account %d", i), "kind": "individual", "country": "FR", "currency": "EUR",
			"address": map[string]any{"line1": "1 rue de la Paix", "postal_code": "75002", "city": "Paris"},
		})
		c.account = a.id()
		w.customers = append(w.customers, c)
	}
	return w
}

// emailOf is a customer's address.
func emailOf(i int) string { return fmt.Sprintf("customer%d@example.com", i) }

func (w *world) logIn(email, password string) string {
	w.t.Helper()
	a := w.patient("/v1/sessions", "", map[string]any{"email": email, "password": password})
	if a.Status != 201 {
		w.t.Fatalf("log in as %s: %d %v", email, a.Status, a.Body)
	}
	return a.Body["token"].(string)
}

// patient asks again for as long as a part of the server is away.
func (w *world) patient(path, token string, body any) answer {
	w.t.Helper()
	for began := time.Now(); ; {
		a, err := w.send(w.t.Context(), "POST", path, token, "", body)
		if err != nil {
			w.t.Fatalf("%s: %v", path, err)
		}
		if a.Status != http.StatusServiceUnavailable || time.Since(began) > time.Minute {
			return a
		}
		<-time.After(20 * time.Millisecond)
	}
}

// enrol sets up the second factor without which staff have no rights.
func (w *world) enrol(token string) {
	w.t.Helper()
	ask := func(path string, body any) answer {
		w.t.Helper()
		a := w.patient(path, token, body)
		if !a.ok() {
			w.t.Fatalf("%s: %d %v", path, a.Status, a.Body)
		}
		return a
	}
	secret, _ := ask("/v1/me/totp", nil).Body["secret"].(string)
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	ask("/v1/me/totp/confirm", map[string]any{"code": code})
}

func (w *world) product(i int) {
	a := w.must("product", w.staff, "POST", "/v1/staff/products", map[string]any{
		"code": fmt.Sprintf("vps-%d", i), "name": fmt.Sprintf("VPS %d", i),
		"prices": []any{map[string]any{"cycle": "monthly", "price": eur("9.90")}},
	})
	w.mu.Lock()
	w.products = append(w.products, a.id())
	w.mu.Unlock()
}

func eur(amount string) map[string]any { return map[string]any{"amount": amount, "currency": "EUR"} }

// Act does one thing that a customer or the staff would do.
func (w *world) Act(rng *rand.Rand) {
	w.mu.Lock()
	c := w.customers[rng.IntN(len(w.customers))]
	product := w.products[rng.IntN(len(w.products))]
	w.mu.Unlock()
	staff, own := "/v1/staff/accounts/"+c.account, "/v1/accounts/"+c.account
	text := fmt.Sprintf("text %x", rng.Uint64())
	switch rng.IntN(12) {
	case 0, 1:
		if a := w.do("service", w.staff, "POST", staff+"/services", map[string]any{"product": product, "label": text, "cycle": "monthly"}); a.ok() {
			w.do("activate", w.staff, "POST", staff+"/services/"+a.id()+"/activate", nil)
			c.add(&c.services, a.id())
		}
	case 2:
		if id, ok := c.pick(rng, &c.services, false); ok {
			w.do("rename", c.token, "PATCH", own+"/services/"+id, map[string]any{"label": text})
		}
	case 3, 4:
		a := w.do("draft", w.staff, "POST", staff+"/invoices", map[string]any{"lines": []any{map[string]any{
			"description": text, "quantity": "2", "unit_price": eur("9.99"), "vat_rate": "20",
		}}})
		if a.ok() {
			c.add(&c.invoices, a.id())
		}
	case 5, 6, 7:
		if id, ok := c.pick(rng, &c.invoices, true); ok {
			if a := w.do("issue", w.staff, "POST", staff+"/invoices/"+id+"/issue", nil); a.ok() {
				c.add(&c.issued, id)
			}
		}
	case 8:
		if id, ok := c.pick(rng, &c.issued, true); ok {
			if rng.IntN(3) == 0 {
				w.do("credit", w.staff, "POST", staff+"/invoices/"+id+"/credit", map[string]any{"reason": text})
				break
			}
			w.do("payment", w.staff, "POST", staff+"/invoices/"+id+"/payments", map[string]any{"amount": eur("23.98"), "reference": text, "received_on": time.Now().UTC().Format(time.DateOnly)})
		}
	case 9:
		a := w.do("ticket", c.token, "POST", own+"/tickets", map[string]any{"department": "technical", "priority": "normal", "subject": text, "message": text})
		if a.ok() {
			c.add(&c.tickets, a.id())
		}
	case 10:
		if id, ok := c.pick(rng, &c.tickets, false); ok {
			w.do("reply", c.token, "POST", own+"/tickets/"+id+"/replies", map[string]any{"message": text})
		}
	case 11:
		w.do("news", w.staff, "POST", "/v1/staff/news", map[string]any{"title": text, "body": text, "published_at": time.Now().UTC().Format(time.RFC3339)})
	}
}

func (c *customer) add(list *[]string, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*list = append(*list, id)
}

func (c *customer) pick(rng *rand.Rand, list *[]string, take bool) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(*list) == 0 {
		return "", false
	}
	i := rng.IntN(len(*list))
	id := (*list)[i]
	if take {
		*list = slices.Delete(*list, i, i+1)
	}
	return id, true
}

func (a answer) ok() bool { return a.Status >= 200 && a.Status < 300 }

func (a answer) id() string {
	id, _ := a.Body["id"].(string)
	return id
}

// do sends a write under one Idempotency-Key until it is answered, whatever
// happens to the server meanwhile, and remembers it when it was accepted.
func (w *world) do(kind, token, method, path string, body any) answer {
	key := uuid.NewString()
	for began := time.Now(); time.Since(began) < 3*time.Minute; {
		w.inFlight.Add(1)
		a, err := w.send(context.Background(), method, path, token, key, body)
		w.inFlight.Add(-1)
		if err != nil || a.Status == http.StatusServiceUnavailable {
			<-time.After(20 * time.Millisecond) // the server is down: dial again shortly
			continue
		}
		w.answered.Add(1)
		if a.Status >= 500 {
			w.t.Errorf("%s %s: %d %v", method, path, a.Status, a.Body)
		}
		if a.ok() {
			w.mu.Lock()
			w.writes = append(w.writes, write{kind: kind, method: method, path: path, token: token, key: key, body: body, answer: a})
			w.mu.Unlock()
		} else if a.Status != http.StatusConflict {
			w.t.Errorf("%s %s: %d %v", method, path, a.Status, a.Body)
		}
		return a
	}
	w.t.Errorf("%s %s was not answered in 3 minutes", method, path)
	return answer{}
}

func (w *world) must(kind, token, method, path string, body any) answer {
	w.t.Helper()
	a := w.do(kind, token, method, path, body)
	if !a.ok() {
		w.t.Fatalf("%s %s: %d %v", method, path, a.Status, a.Body)
	}
	return a
}

func (w *world) send(ctx context.Context, method, path, token, key string, body any) (answer, error) {
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		in = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, w.portal.URL()+path, in)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := w.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{Status: resp.StatusCode, Header: resp.Header}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &a.Body); err != nil {
			return answer{}, fmt.Errorf("%s %s answered %d %q: %w", method, path, resp.StatusCode, data, err)
		}
	}
	return a, nil
}

// InFlight is how many writes wait for an answer, Answered how many got one.
func (w *world) InFlight() int64 { return w.inFlight.Load() }

// Answered counts answers.
func (w *world) Answered() int { return int(w.answered.Load()) }

// Writes counts acknowledged writes.
func (w *world) Writes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.writes)
}

// WaitAnswered waits until n writes were answered.
func (w *world) WaitAnswered(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); w.Answered() < n; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d of %d writes were answered in 2 minutes", w.Answered(), n)
		}
	}
}

func (w *world) numbers(kind string) (numbers []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.writes {
		if one.kind == kind {
			numbers = append(numbers, one.answer.Body["number"].(string))
		}
	}
	return numbers
}

// CheckRepeats sends every acknowledged write again under its key.
func (w *world) CheckRepeats(t *testing.T) {
	t.Helper()
	for _, one := range w.writes {
		again, err := w.send(t.Context(), one.method, one.path, one.token, one.key, one.body)
		if err != nil {
			t.Fatalf("repeat %s %s: %v", one.method, one.path, err)
		}
		if again.Status != one.answer.Status || again.Header.Get("Idempotent-Replay") != "true" ||
			fmt.Sprint(again.Body) != fmt.Sprint(one.answer.Body) || again.Header.Get("ETag") != one.answer.Header.Get("ETag") {
			t.Errorf("%s: the repeat of %s %s answered otherwise\nfirst:  %d %s %v\nrepeat: %d %s %v (replay %q)", one.kind, one.method, one.path,
				one.answer.Status, one.answer.Header.Get("ETag"), one.answer.Body, again.Status, again.Header.Get("ETag"), again.Body, again.Header.Get("Idempotent-Replay"))
		}
	}
}

// CheckReads looks for everything acknowledged where its owner looks for it.
func (w *world) CheckReads(t *testing.T) {
	t.Helper()
	var last string
	for _, one := range w.writes {
		if token := one.answer.Header.Get("Consistency-Token"); token != "" {
			last = token
		}
	}
	for _, c := range w.customers {
		own := "/v1/accounts/" + c.account
		for kind, list := range map[string]string{"service": "services", "ticket": "tickets"} {
			want := map[string]int{}
			for _, one := range w.writes {
				if one.kind == kind && strings.Contains(one.path, c.account) {
					want[one.answer.id()] = 1
				}
			}
			if got := w.ids(t, c.token, own+"/"+list, last); !equal(got, want) {
				t.Errorf("%s of %s: got %d ids, want %d, or not the same", list, c.account, len(got), len(want))
			}
		}
	}
}

// ids counts each id in a whole list, page by page.
func (w *world) ids(t *testing.T, token, path, consistency string) map[string]int {
	t.Helper()
	ids := map[string]int{}
	for cursor := ""; ; {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.portal.URL()+path+"?limit=7"+cursor, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Consistency-Token", consistency)
		r.Header.Set("Prefer", "wait=30")
		resp, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Items []struct {
				ID string `json:"id"`
			} `json:"items"`
			Next *string `json:"next_cursor"`
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Stale") != "" {
			t.Fatalf("GET %s: %d, stale %q, %v", path, resp.StatusCode, resp.Header.Get("Stale"), err)
		}
		for _, item := range page.Items {
			ids[item.ID]++
		}
		if page.Next == nil {
			return ids
		}
		cursor = "&cursor=" + *page.Next
	}
}

// CheckHistory compares how often each fact was written with how often it was
// acknowledged: every request was repeated until it was answered, so the two
// are equal.
func (w *world) CheckHistory(t *testing.T, history []historyLine) {
	t.Helper()
	facts := map[string]int{}
	for _, line := range history {
		facts[line.Type]++
	}
	acknowledged := map[string]int{}
	for _, one := range w.writes {
		acknowledged[one.kind]++
	}
	for kind, fact := range map[string]string{
		"account": "account.opened.v2", "service": "hosting.created.v1", "rename": "hosting.renamed.v1",
		"draft": "invoice.drafted.v1", "issue": "invoice.issued.v1", "credit": "creditnote.issued.v1", "payment": "invoice.payment_allocated.v1",
		"ticket": "ticket.opened.v1", "reply": "ticket.customer_replied.v1", "news": "announcement.published.v1",
	} {
		if facts[fact] != acknowledged[kind] {
			t.Errorf("%s was written %d times, acknowledged %d times", fact, facts[fact], acknowledged[kind])
		}
	}
}

func equal[K comparable, V comparable](a, b map[K]V) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// AwaitMails waits until every mail was sent that what has happened calls for.
// Mails are written in the order of their causes, so the last of them is that
// of a reset asked for now; then no job is left to do.
func (w *world) AwaitMails(t *testing.T, mails *mailServer) {
	t.Helper()
	if a, err := w.send(t.Context(), "POST", "/v1/password-resets", "", "", map[string]any{"email": emailOf(0)}); err != nil || a.Status != http.StatusAccepted {
		t.Fatalf("ask for a reset: %d %v", a.Status, err)
	}
	db := w.portal.connect(t)
	defer db.Close()
	for timeout := time.After(2 * time.Minute); ; {
		arrived := mails.Arrived()
		var last bool
		var left int
		if err := db.QueryRow(t.Context(), `
			SELECT EXISTS (SELECT 1 FROM read.mail WHERE template = 'reset_password'),
			       (SELECT count(*) FROM river.river_job WHERE state IN ('available', 'pending', 'retryable', 'running'))`).Scan(&last, &left); err != nil {
			t.Fatal(err)
		}
		if last && left == 0 {
			return
		}
		select {
		case <-arrived:
		case <-time.After(100 * time.Millisecond): // a job ends after its mail
		case <-timeout:
			t.Fatalf("2 minutes later there are %d jobs left; the last mail was written: %v", left, last)
		}
	}
}
