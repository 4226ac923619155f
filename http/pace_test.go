package http_test

import (
	"context"
	"fmt"
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

// TestAUserKeepsFewStreamsOpen has one user, with a session and an API token,
// keep streams and long polls open; others do not notice.
func TestAUserKeepsFewStreamsOpen(t *testing.T) {
	t.Parallel()
	const most = 20
	w, server := served(t, func(c *portalhttp.Config) { c.Pace = portalhttp.NewPace(0, time.Now) }, withPages)
	ada, eve := w.customer(t, "ada"), w.customer(t, "eve")
	_, program := w.token(t, ada, ada.account, `{"name":"x","permissions":["*"]}`)
	path := "/v1/events?account=" + ada.account
	var open []*listener
	for n := range most {
		by := []party{ada, program}[n%2]
		open = append(open, listen(t, server, by, path, ""))
	}
	page := fmt.Sprintf("/portal/%s/stream?of=services", ada.account)
	w.play(t,
		step{"another stream", program, "GET", path, "", []string{"Accept", "text/event-stream"}, 429, "streams_open", nil},
		step{"a long poll", ada, "GET", path + "&after=now&wait=30", "", nil, 429, "streams_open", nil},
		step{"what answers at once", ada, "GET", path, "", nil, 200, "", nil},
	)
	if a := raw(w.handler, http.MethodGet, page, "", "Cookie", "hostfold_session="+ada.token); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("the stream of a page is answered %d", a.status)
	}
	listen(t, server, eve, "/v1/events?account="+eve.account, "")

	// What is refused or over is given back.
	for range most + 1 {
		w.play(t, step{"a stream of another's account", eve, "GET", path, "", []string{"Accept", "text/event-stream"}, 404, "not_found", nil})
	}
	listen(t, server, eve, "/v1/events?account="+eve.account, "")
	open[0].close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for w.do(t, ada, http.MethodGet, path+"&wait=1", "").status != 200 {
		if ctx.Err() != nil {
			t.Fatal("a stream that has ended is not given back")
		}
	}
}
