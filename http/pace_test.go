package http_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	portalhttp "github.com/hostfold/hostfold/http"
)

// TestAUserWhoAsksForTooMuchHasToWait counts what a user asks for, in all its
// sessions and with its API tokens; others do not notice.
func TestAUserWhoAsksForTooMuchHasToWait(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	began := time.Now()
	w := begin(t, func(c *portalhttp.Config) {
		c.Pace = portalhttp.NewPace(60, func() time.Time { return began.Add(time.Duration(ahead.Load())) })
	}, withPages)
	ada, eve := w.customer(t, "ada"), w.customer(t, "eve")
	_, program := w.token(t, ada, ada.account, `{"name":"x","permissions":["*"]}`)
	other := w.logIn(t, ada)
	account := "/v1/accounts/" + ada.account
	ahead.Add(int64(time.Hour))
	used := 0
	for _, p := range []party{ada, other, program} { // 30 at once, of which a write takes four
		for range 6 {
			w.must(t, p, http.MethodGet, account, "", 200)
			used++
		}
		w.must(t, p, http.MethodPatch, account, `{"name":"Ada"}`, 200)
		used += 4
	}
	for _, p := range []party{ada, other, program} {
		a := w.do(t, p, http.MethodGet, account, "")
		if wait := a.header.Get("Retry-After"); a.status != 429 || a.code(t) != "too_many_attempts" || wait != "1" {
			t.Fatalf("after %d: %d, wait %s, %s", used, a.status, wait, a.body)
		}
	}
	if page := w.do(t, ada, http.MethodGet, "/portal/"+ada.account, ""); page.status != 429 || page.header.Get("Retry-After") == "" {
		t.Errorf("the page is answered %d", page.status)
	}
	w.must(t, eve, http.MethodGet, "/v1/accounts/"+eve.account, "", 200)
	ahead.Add(int64(4 * time.Second))
	w.must(t, program, http.MethodPatch, account, `{"name":"Ada L."}`, 200)
	w.play(t, step{"used up again", ada, "GET", account, "", nil, 429, "too_many_attempts", nil})
}
