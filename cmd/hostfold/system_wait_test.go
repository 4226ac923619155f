package main_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/esdb"
)

// unused is an address that nothing listens on.
func unused(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// waiter is a portal at known addresses, whose store may be away.
type waiter struct {
	*portal
	*world

	admin string
}

// ask sends a request without a body, or with one in JSON.
func (w *waiter) ask(t *testing.T, method, path, token string, body any) answer {
	t.Helper()
	a, err := w.send(t.Context(), method, path, token, "", body)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", method, path, err, w.log)
	}
	return a
}

// refused asks for what cannot be had without the store.
func (w *waiter) refused(t *testing.T, method, path, token string, body any) {
	t.Helper()
	begun := time.Now()
	a := w.ask(t, method, path, token, body)
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s is answered %d %v with Retry-After %q", method, path, a.Status, a.Body, a.Header.Get("Retry-After"))
	}
	if took := time.Since(begun); took > 12*time.Second {
		t.Errorf("%s %s was refused after %s", method, path, took)
	}
}

// waits waits until the operators' address says that the server waits for the
// store at an address.
func (w *waiter) waits(t *testing.T, store string) {
	t.Helper()
	for begun := time.Now(); ; {
		var detail struct{ Status, Reason string }
		if status, body := w.look("http://" + w.admin + "/readyz"); status != 0 {
			if err := json.Unmarshal(body, &detail); err != nil || status != http.StatusServiceUnavailable {
				t.Fatalf("readyz answers %d %s: %v", status, body, err)
			}
		}
		if strings.Contains(detail.Reason, "waits for the event store at "+store) {
			break
		}
		if time.Since(begun) > 60*time.Second {
			t.Fatalf("readyz says %+v\n%s", detail, w.log)
		}
	}
	for path, want := range map[string]int{"/livez": 200, "/readyz": 503} {
		if status, body := w.look(w.URL() + path); status != want || len(body) > 0 {
			t.Errorf("%s answers %d %s", path, status, body)
		}
	}
}

// look reads an address; 0 is no answer.
func (w *waiter) look(url string) (int, []byte) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // cut off is judged by its status
	return resp.StatusCode, body
}

// A store that is away at the start is waited for: what needs it is refused in
// time, what the database knows is answered, and it goes on by itself.
func TestServeWaitsForItsStore(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a second system as a whole, which make test runs")
	}
	d, n, addr := startDatabase(t), newNode(t), unused(t)
	w := &waiter{admin: unused(t)}
	listen := unused(t)
	w.portal = newPortal(t, "ESDB_URL=esdb://someone:a-secret@"+addr+"?tls=false", "DATABASE_URL="+d.server.URL(),
		"HOSTFOLD_ADDR="+listen, "HOSTFOLD_ADMIN_ADDR="+w.admin)
	w.url = "http://" + listen
	w.world = &world{t: t, portal: w.portal, client: &http.Client{Timeout: 20 * time.Second}}
	const email, password = "away@example.com", "another horse battery staple 43"
	login := map[string]any{"email": email, "password": password}
	older, kept := filepath.Join(folderFor(t), "older"), 0
	var token string

	// Each goes on where the one before it ended.
	_ = t.Run("a first start is told to stop while it waits", func(t *testing.T) {
		w.launch(t, "serve")
		w.waits(t, addr)
		w.refused(t, "GET", "/v1/news", "", nil)
		w.refused(t, "POST", "/v1/sessions", "", login)
		w.Stop(t)
	}) &&
		t.Run("a first start becomes ready when the store comes", func(t *testing.T) {
			ready := w.launch(t, "serve", "--demo")
			w.waits(t, addr)
			n.startAt(t, addr)
			w.await(t, ready)
			w.must("register", "", "POST", "/v1/users", map[string]any{"email": email, "password": password, "name": "Away", "locale": "fr"})
			token = w.logIn(email, password)
			w.must("account", token, "POST", "/v1/accounts", map[string]any{"name": "Away", "kind": "individual", "country": "FR", "currency": "EUR"})
			w.Stop(t)
			kept = eventsIn(t, n.URL())
			n.Stop(t)
			if err := os.CopyFS(older, os.DirFS(n.dir)); err != nil {
				t.Fatal(err)
			}
		}) &&
		t.Run("a later start reads meanwhile, and writes when the store comes", func(t *testing.T) {
			ready := w.launch(t, "serve")
			w.waits(t, addr)
			w.refused(t, "PATCH", "/v1/me", token, map[string]any{"name": "Somebody"})
			w.refused(t, "POST", "/v1/sessions", "", login)
			w.refused(t, "POST", "/v1/users", "", map[string]any{"email": "new@example.com", "password": password, "name": "New", "locale": "fr"})
			for _, path := range []string{"/v1/me", "/v1/me/accounts", "/v1/news"} {
				if a := w.ask(t, "GET", path, token, nil); a.Status != http.StatusOK {
					t.Errorf("%s answers %d %v", path, a.Status, a.Body)
				}
			}
			if a := w.ask(t, "GET", "/v1/me/accounts", token, nil); len(a.Body["items"].([]any)) != 1 {
				t.Errorf("the accounts are %v", a.Body)
			}
			if log := w.log.String(); !strings.Contains(log, "waits for the event store at "+addr) || strings.Contains(log, "a-secret") {
				t.Errorf("the operator reads\n%s", log)
			}
			n.startAt(t, addr)
			back := time.Now()
			for status := 0; status != http.StatusOK; {
				if status, _ = w.look(w.URL() + "/readyz"); time.Since(back) > 5*time.Second {
					t.Fatalf("5 s after the store's return readyz answers %d\n%s", status, w.log)
				}
				if a := w.ask(t, "GET", "/v1/me", token, nil); a.Status != http.StatusOK {
					t.Fatalf("a read answers %d %v", a.Status, a.Body)
				}
			}
			t.Logf("ready %s after the store's return", time.Since(back))
			w.await(t, ready)
			w.must("rename", token, "PATCH", "/v1/me", map[string]any{"name": "Somebody"})
			w.Stop(t)
			n.Stop(t)
		}) &&
		t.Run("another store in its place is refused and nothing is written to it", func(t *testing.T) {
			for _, c := range []struct {
				dir, says string
				events    int
			}{
				{filepath.Join(folderFor(t), "new"), "the event store is empty", 0},
				{older, "it has lost its end", kept},
			} {
				ready := w.launch(t, "serve")
				w.waits(t, addr)
				n.dir = c.dir
				n.startAt(t, addr)
				for range ready { // until it has ended
					t.Fatal("it serves")
				}
				err := w.cmd.Wait()
				if w.cmd = nil; err == nil || err.Error() != "exit status 1" || !strings.Contains(w.log.String(), c.says) {
					t.Fatalf("it ended with %v\n%s", err, w.log)
				}
				if got := eventsIn(t, n.URL()); got != c.events {
					t.Errorf("the store holds %d events, not %d", got, c.events)
				}
				n.Stop(t)
			}
		})
}

// eventsIn counts the events of a store but for its own.
func eventsIn(t *testing.T, url string) (count int) {
	t.Helper()
	store, err := esdb.Open(esdb.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for r, err := range store.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(r.Stream, "$") {
			count++
		}
	}
	return count
}
