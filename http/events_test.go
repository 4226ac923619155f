package http_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain/hosting"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/projections"
)

// batch reads the feed once.
func (w *world) batch(t *testing.T, as party, query string) ([]projections.CloudEvent, string) {
	t.Helper()
	a := w.must(t, as, http.MethodGet, "/v1/events?"+query, "", 200)
	if kind := a.header.Get("Content-Type"); kind != "application/cloudevents-batch+json" {
		t.Fatalf("content type %s", kind)
	}
	var events []projections.CloudEvent
	if err := json.Unmarshal(a.body, &events); err != nil {
		t.Fatal(err)
	}
	return events, a.header.Get("Next-Cursor")
}

func names(events []projections.CloudEvent) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.Type)
	}
	return all
}

func TestTheFeedIsReadBatchByBatch(t *testing.T) {
	t.Parallel()
	s := set(t)
	mine := "account=" + s.alice.account
	all, end := s.batch(t, s.alice, mine)
	if got := names(all); !slices.Contains(got, "invoice.issued.v1") || got[0] != "account.opened.v2" || slices.Contains(got, "invoice.drafted.v1") || slices.Contains(got, "user.registered.v2") {
		t.Errorf("the feed has %v", got)
	}
	rest, _ := s.batch(t, s.alice, mine+"&after="+all[2].Cursor)
	if len(rest) != len(all)-3 || rest[0].ID != all[3].ID {
		t.Errorf("after the third come %v", names(rest))
	}
	if none, next := s.batch(t, s.alice, mine+"&after="+end); len(none) != 0 || next != end {
		t.Errorf("after the end come %v, %s", names(none), next)
	}
	if none, _ := s.batch(t, s.alice, mine+"&after=now"); len(none) != 0 {
		t.Errorf("after now come %v", names(none))
	}
	some, _ := s.batch(t, s.alice, mine+"&types=ticket.opened.v1,hosting.renamed.v1")
	if got := names(some); len(got) != 1 || got[0] != "ticket.opened.v1" {
		t.Errorf("of two types come %v", got)
	}
	everybody, _ := s.batch(t, s.clerk, "types=account.opened.v1")
	if len(everybody) != 2 {
		t.Errorf("staff see %v", names(everybody))
	}
	s.play(t,
		step{"an internal type", s.alice, "GET", "/v1/events?" + mine + "&types=user.registered.v1", "", nil, 422, "invalid_field", []string{`"field":"types"`}},
		step{"a cursor of nobody", s.alice, "GET", "/v1/events?" + mine + "&after=x", "", nil, 422, "invalid_field", []string{`"field":"after"`}},
		step{"too long a wait", s.alice, "GET", "/v1/events?" + mine + "&wait=31", "", nil, 422, "invalid_field", nil},
	)
}

func TestALongPollEndsWithTheEvent(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	w.Settle()
	_, end := w.batch(t, ada, "account="+ada.account)
	got := make(chan []projections.CloudEvent)
	go func() {
		events, _ := w.batch(t, ada, "account="+ada.account+"&wait=30&after="+end)
		got <- events
	}()
	w.must(t, ada, http.MethodPatch, "/v1/accounts/"+ada.account, `{"name":"new"}`, 200)
	if events := <-got; len(events) != 1 || events[0].Type != "account.profile_updated.v2" {
		t.Errorf("came %v", names(events))
	}
}

// listener is a real connection to the stream of events.
type listener struct {
	lines *bufio.Scanner
	close context.CancelFunc
}

func listen(t *testing.T, server *httptest.Server, as party, path, lastID string) *listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+as.token)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	return &listener{lines: bufio.NewScanner(res.Body), close: cancel}
}

// next is the next event and its id; ok is false at the end of the stream.
func (l *listener) next(t *testing.T) (e projections.CloudEvent, id string, ok bool) {
	t.Helper()
	for l.lines.Scan() {
		line := l.lines.Text()
		if v, found := strings.CutPrefix(line, "id: "); found {
			id = v
		}
		if v, found := strings.CutPrefix(line, "data: "); found {
			if err := json.Unmarshal([]byte(v), &e); err != nil {
				t.Fatal(err)
			}
			return e, id, true
		}
	}
	return e, id, false
}

// served is a world on a real listener.
func served(t *testing.T, change ...func(*portalhttp.Config)) (*world, *httptest.Server) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	public := &url.URL{Scheme: "http", Host: server.Listener.Addr().String()}
	w := begin(t, append(change, func(c *portalhttp.Config) {
		c.Hosts = append(c.Hosts, portalhttp.OwnHosts(public, server.Listener.Addr())...)
	})...)
	server.Config = portalhttp.NewServer(w.handler, config().Log)
	server.Start()
	t.Cleanup(server.Close)
	return w, server
}

func TestAStreamIsResumed(t *testing.T) {
	t.Parallel()
	w, server := served(t)
	ada := w.customer(t, "ada")
	path := "/v1/events?account=" + ada.account
	stream := listen(t, server, ada, path, "")
	first, id, _ := stream.next(t)
	if first.Type != "account.opened.v2" || id != first.Cursor {
		t.Fatalf("first %+v, id %s", first, id)
	}
	w.must(t, ada, http.MethodPatch, "/v1/accounts/"+ada.account, `{"name":"two"}`, 200)
	second, id, _ := stream.next(t)
	if second.Type != "account.profile_updated.v2" {
		t.Fatalf("second %+v", second)
	}
	stream.close()
	w.must(t, ada, http.MethodPatch, "/v1/accounts/"+ada.account, `{"name":"three"}`, 200)
	third, _, _ := listen(t, server, ada, path, id).next(t)
	if third.ID == second.ID || !strings.Contains(string(third.Data), "three") {
		t.Errorf("third %+v", third)
	}
}

func TestAStreamEndsWithTheSession(t *testing.T) {
	t.Parallel()
	w, server := served(t)
	ada := w.customer(t, "ada")
	stream := listen(t, server, ada, "/v1/events?after=now&account="+ada.account, "")
	w.must(t, ada, http.MethodDelete, "/v1/sessions/current", "", 204)
	w.Given(ada.account, "hosting-hst_1", hosting.Created{Account: ada.account, Name: "secret", Label: "l"})
	if e, _, ok := stream.next(t); ok {
		t.Errorf("after the log-out came %+v", e)
	}
}

func TestAStreamEndsWithTheServer(t *testing.T) {
	t.Parallel()
	w, server := served(t)
	ada := w.customer(t, "ada")
	stream := listen(t, server, ada, "/v1/events?after=now&account="+ada.account, "")
	stopped := make(chan error)
	go func() { stopped <- server.Config.Shutdown(t.Context()) }()
	if e, _, ok := stream.next(t); ok {
		t.Errorf("at the end came %+v", e)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
