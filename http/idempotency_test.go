package http_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestARepeatIsAnsweredAgain(t *testing.T) {
	t.Parallel()
	s := set(t)
	own, staff := "/v1/accounts/"+s.alice.account, "/v1/staff/accounts/"+s.alice.account
	for _, c := range []struct {
		name, method, path, body string
		as                       party
		other                    string
	}{
		{"a creation", "POST", "/v1/accounts", `{"name":"Second","kind":"individual","country":"FR","currency":"EUR"}`, s.alice, `{"name":"Third","kind":"individual","country":"FR","currency":"EUR"}`},
		{"a change", "PATCH", own + "/services/" + s.service, `{"label":"once"}`, s.alice, `{"label":"twice"}`},
		{"a change that changes nothing", "PATCH", own, `{"name":"alice"}`, s.alice, `{"name":"other"}`},
		{"a ticket", "POST", own + "/tickets", ticketBody, s.alice, strings.Replace(ticketBody, "normal", "high", 1)},
		{"an issue", "POST", staff + "/invoices/" + s.draft + "/issue", "", s.clerk, ""},
		{"a credit", "POST", staff + "/invoices/" + s.invoice + "/credit", `{"reason":"wrong"}`, s.clerk, `{"reason":"right"}`},
		{"a domain", "POST", staff + "/domains", `{"name":"once.example","registered_on":"2026-01-02","expires_on":"2027-01-02"}`, s.clerk, `{"name":"two.example","registered_on":"2026-01-02","expires_on":"2027-01-02"}`},
		{"a product", "POST", "/v1/staff/products", productBody("once"), s.clerk, productBody("twice")},
		{"all notifications", "POST", own + "/notifications/read-all", "", s.alice, ""},
		{"a registration", "POST", "/v1/users", `{"email":"new@example.com","password":"` + password + `","name":"N","locale":"fr"}`, nobody, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key := []string{"Idempotency-Key", "key of " + c.name}
			first := s.do(t, c.as, c.method, c.path, c.body, key...)
			if first.status/100 != 2 || first.header.Get("Idempotent-Replay") != "" {
				t.Fatalf("first %d %s", first.status, first.body)
			}
			again := s.do(t, c.as, c.method, c.path, c.body, key...)
			if again.status != first.status || string(again.body) != string(first.body) || again.header.Get("Idempotent-Replay") != "true" {
				t.Errorf("again %d %v %s, not %s", again.status, again.header, again.body, first.body)
			}
			for _, name := range []string{"ETag", "Location"} {
				if again.header.Get(name) != first.header.Get(name) {
					t.Errorf("%s was %s and is %s", name, first.header.Get(name), again.header.Get(name))
				}
			}
			if c.other != "" {
				if other := s.do(t, c.as, c.method, c.path, c.other, key...); other.status != 422 || other.code(t) != "idempotency_key_reused" {
					t.Errorf("another body %d %s", other.status, other.body)
				}
			}
		})
	}
}

func TestARepeatAfterAnotherChangeIsNotCarriedOut(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	path := "/v1/accounts/" + ada.account
	// This changes nothing, so that no event remembers it.
	w.must(t, ada, http.MethodPatch, path, `{"name":"ada"}`, 200, "Idempotency-Key", "k")
	w.must(t, ada, http.MethodPatch, path, `{"name":"Lovelace"}`, 200)
	again := w.must(t, ada, http.MethodPatch, path, `{"name":"ada"}`, 200, "Idempotency-Key", "k")
	if again.header.Get("Idempotent-Replay") != "true" || again.header.Get("ETag") != `"0"` {
		t.Errorf("%v", again.header)
	}
	w.Settle()
	if name := w.must(t, ada, http.MethodGet, path, "", 200).text(t, "name"); name != "Lovelace" {
		t.Errorf("the repeat took the change back: %s", name)
	}
}

func TestTwinsHaveOneEffect(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	path := "/v1/accounts/" + ada.account + "/tickets"
	answers := make([]answer, 8)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = w.do(t, ada, http.MethodPost, path, ticketBody, "Idempotency-Key", "twin") })
	}
	wg.Wait()
	for _, a := range answers {
		if a.status != 201 || string(a.body) != string(answers[0].body) {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	w.Settle()
	if n := len(w.must(t, ada, http.MethodGet, path, "", 200).items(t)); n != 1 {
		t.Errorf("%d tickets", n)
	}
}

func TestKeysBelongToTheCallerAndTheRoute(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada, bob := w.customer(t, "ada"), w.customer(t, "bob")
	body := `{"name":"More","kind":"individual","country":"FR","currency":"EUR"}`
	key := []string{"Idempotency-Key", "same"}
	one := w.must(t, ada, http.MethodPost, "/v1/accounts", body, 201, key...)
	two := w.must(t, bob, http.MethodPost, "/v1/accounts", body, 201, key...)
	if one.ID(t) == two.ID(t) || two.header.Get("Idempotent-Replay") != "" {
		t.Error("two callers share a key")
	}
	ticket := w.must(t, ada, http.MethodPost, "/v1/accounts/"+ada.account+"/tickets", ticketBody, 201, key...)
	if ticket.header.Get("Idempotent-Replay") != "" {
		t.Error("two routes share a key")
	}
	first := w.must(t, nobody, http.MethodPost, "/v1/users", `{"email":"x@example.com","password":"`+password+`","name":"X","locale":"fr"}`, 201, key...)
	second := w.must(t, nobody, http.MethodPost, "/v1/users", `{"email":"y@example.com","password":"`+password+`","name":"Y","locale":"fr"}`, 201, key...)
	if first.ID(t) == second.ID(t) {
		t.Error("two strangers share a key")
	}
}

func TestARefusalIsDecidedAgain(t *testing.T) {
	t.Parallel()
	w := begin(t)
	clerk, ada := w.staff(t), w.customer(t, "ada")
	staff := "/v1/staff/accounts/" + ada.account + "/invoices"
	id := w.must(t, clerk, http.MethodPost, staff, invoiceBody, 201).ID(t)
	key := []string{"Idempotency-Key", "k"}
	w.must(t, clerk, http.MethodPost, staff+"/"+id+"/issue", "", 409, key...)
	w.sells(t)
	if a := w.must(t, clerk, http.MethodPost, staff+"/"+id+"/issue", "", 200, key...); a.header.Get("Idempotent-Replay") != "" {
		t.Error("a refusal was remembered")
	}
}

func TestSecretsAndBadKeysAreRefused(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	key := []string{"Idempotency-Key", "k"}
	w.play(t,
		step{"a log-in", nobody, "POST", "/v1/sessions", `{"email":"ada@example.com","password":"` + password + `"}`, key, 400, "idempotency_not_supported", nil},
		step{"a log-out", ada, "DELETE", "/v1/sessions/current", "", key, 400, "idempotency_not_supported", nil},
		step{"a revocation", ada, "DELETE", "/v1/me/sessions/ses_1", "", key, 400, "idempotency_not_supported", nil},
		step{"an empty key", ada, "POST", "/v1/accounts", "{}", []string{"Idempotency-Key", ""}, 422, "invalid_field", []string{`"in":"header"`, `"field":"Idempotency-Key"`}},
		step{"a long key", ada, "POST", "/v1/accounts", "{}", []string{"Idempotency-Key", strings.Repeat("x", 256)}, 422, "invalid_field", nil},
		step{"an unprintable key", ada, "POST", "/v1/accounts", "{}", []string{"Idempotency-Key", "é"}, 422, "invalid_field", nil},
	)
}

func TestIfMatchGuardsAWrite(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	path := "/v1/accounts/" + ada.account
	w.play(t,
		step{"as seen", ada, "PATCH", path, `{"name":"one"}`, []string{"If-Match", `"0"`}, 200, "", nil},
		step{"as it was", ada, "PATCH", path, `{"name":"two"}`, []string{"If-Match", `"0"`}, 412, "stale", nil},
		step{"as it never was", ada, "PATCH", path, `{"name":"two"}`, []string{"If-Match", `"7"`}, 412, "stale", nil},
		step{"by a tag of nobody", ada, "PATCH", path, `{"name":"two"}`, []string{"If-Match", `W/"1"`}, 412, "stale", nil},
		step{"by any", ada, "PATCH", path, `{"name":"three"}`, []string{"If-Match", `*`}, 200, "", nil},
	)
	w.Settle()
	if a := w.must(t, ada, http.MethodGet, path, "", 200); a.text(t, "name") != "three" || a.header.Get("ETag") != `"2"` {
		t.Errorf("%s %v", a.body, a.header)
	}
}

func TestReadsWaitForAWrite(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	path := "/v1/accounts/" + ada.account
	wrote := w.must(t, ada, http.MethodPatch, path, `{"name":"new"}`, 200)
	if name := w.see(t, ada, path, wrote).text(t, "name"); name != "new" {
		t.Errorf("it shows %s", name)
	}
	w.Stop()
	later := w.must(t, ada, http.MethodPatch, path, `{"name":"newer"}`, 200)
	stale := w.must(t, ada, http.MethodGet, path, "", 200, "Consistency-Token", later.header.Get("Consistency-Token"), "Prefer", "wait=0")
	if stale.header.Get("Stale") != "true" || stale.text(t, "name") != "new" {
		t.Errorf("%v %s", stale.header, stale.body)
	}
	w.play(t, step{"a token of nobody", ada, "GET", path, "", []string{"Consistency-Token", "x"}, 422, "invalid_consistency_token", nil})
}
