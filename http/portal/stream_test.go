package portal_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// versions are what a stream tells.
type versions struct {
	t    *testing.T
	told chan string
	// header is that of the answer.
	header http.Header
}

// follow opens the stream of a page, as its script does.
func (b *browser) follow(page shown) versions {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	b.t.Cleanup(cancel)
	path := page.Find(`meta[name="live"]`).AttrOr("content", "")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.house.url+path, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = res.Body.Close() })
	v := versions{t: b.t, told: make(chan string, 10), header: res.Header}
	go func() {
		defer close(v.told)
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				v.told <- data
			}
		}
	}()
	return v
}

// next is the next version, "" at the stream's end.
func (v versions) next() string {
	v.t.Helper()
	select {
	case told := <-v.told:
		return told
	case <-time.After(20 * time.Second):
		v.t.Fatal("the stream says nothing")
		return ""
	}
}

func TestStreamTellsWhatAPageShows(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	base := "/portal/" + s.account
	live := func(page shown) string { return page.Find(`meta[name="live"]`).AttrOr("data-version", "") }

	board, bill := b.get(base), b.get(base+"/invoices/"+s.paid)
	boards := b.follow(board)
	bills := b.follow(bill)
	if boards.header.Get("Content-Type") != "text/event-stream" || boards.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", boards.header)
	}
	if got := boards.next(); got != live(board) {
		t.Errorf("the page shows %s, the stream says %s", live(board), got)
	}
	if got := bills.next(); got != live(bill) {
		t.Errorf("the invoice shows %s, its stream says %s", live(bill), got)
	}

	b.post(base+"/tickets", url.Values{"department": {"sales"}, "priority": {"low"}, "subject": {"Devis"}, "message": {"…"}})
	if got := boards.next(); got != live(b.get(base)) || got == live(board) {
		t.Errorf("the dashboard shows %s, the stream says %s", live(b.get(base)), got)
	}

	s.notify(t) // the bell is on every page
	s.Settle()
	if got := bills.next(); got != live(b.get(base+"/invoices/"+s.paid)) {
		t.Errorf("the invoice shows %s, its stream says %s", live(b.get(base+"/invoices/"+s.paid)), got)
	}

	b.submit(b.get(base), "/logout")
	s.notify(t)
	for boards.next() != "" {
		// What was on its way when the session ended.
	}
	if got := bills.next(); got != "" {
		t.Errorf("after the log-out the stream says %s", got)
	}
}

func TestAStreamOfNothingIsMissing(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	if page := b.get("/portal/" + s.account + "/stream?of=everything"); page.status != http.StatusNotFound {
		t.Errorf("answered %d", page.status)
	}
}
