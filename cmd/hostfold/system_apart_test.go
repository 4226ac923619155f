package main_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hostfold/hostfold/projections/postgres"
)

// nodeProcess is an event store of its own, at an address that it keeps.
type nodeProcess struct {
	process

	dir string
}

func newNode(t *testing.T) *nodeProcess {
	t.Helper()
	n := &nodeProcess{dir: filepath.Join(folderFor(t), "store")}
	n.env = append(os.Environ(), "HOSTFOLD_LOG=json", "DATABASE_URL=", "ESDB_URL=")
	t.Cleanup(func() { n.Stop(t) })
	return n
}

func startNode(t *testing.T) *nodeProcess {
	t.Helper()
	n := newNode(t)
	n.startAt(t, "127.0.0.1:0")
	return n
}

func (n *nodeProcess) startAt(t *testing.T, addr string) {
	t.Helper()
	n.start(t, "node", "--insecure", "--data", n.dir, "--addr", addr)
}

// Restart starts it again where it was.
func (n *nodeProcess) Restart(t *testing.T) {
	t.Helper()
	addr, _, _ := strings.Cut(strings.TrimPrefix(n.URL(), "esdb://"), "?")
	n.startAt(t, addr)
}

// database is a Postgres of its own.
type database struct {
	config postgres.Config
	server *postgres.Server
}

func startDatabase(t *testing.T) *database {
	t.Helper()
	d := &database{config: postgres.Config{Dir: filepath.Join(folderFor(t), "pg"), Binaries: os.Getenv("HOSTFOLD_POSTGRES")}}
	d.start(t)
	t.Cleanup(func() {
		if err := d.server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *database) start(t *testing.T) {
	t.Helper()
	server, err := postgres.Start(t.Context(), d.config)
	if err != nil {
		t.Fatal(err)
	}
	d.server = server
}

// Kill ends the server as a power cut would; the kernel ends its children.
func (d *database) Kill(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.server.Dir(), "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-d.server.Done()
	if err := d.server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The same test with everything apart: the event store is reached through the
// official client, the rows live in another Postgres, and each may be killed.
func TestNothingAcknowledgedIsLostOrDoneTwiceWhenStoreAndDatabaseAreKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("a second system as a whole, which make test runs")
	}
	n, d, mails := startNode(t), startDatabase(t), startSMTP(t)
	p := newPortal(t, "SMTP_URL="+mails.URL(), "ESDB_URL="+n.URL(), "DATABASE_URL="+d.server.URL())
	p.database = d.server.URL()
	p.Start(t)
	if !t.Run("with the store away writes are refused in time and reads go on", func(t *testing.T) { storeAway(t, p, n) }) {
		return
	}
	survive(t, p, mails,
		victim{"hostfold", func(t *testing.T) {
			t.Helper()
			p.Kill(t)
			p.Start(t)
		}},
		victim{"the node", func(t *testing.T) {
			t.Helper()
			n.Kill(t)
			n.Restart(t)
		}},
		victim{"postgres", func(t *testing.T) {
			t.Helper()
			d.Kill(t)
			d.start(t)
		}},
	)
}

// storeAway kills the node and asks the portal for what it can do without.
func storeAway(t *testing.T, p *portal, n *nodeProcess) {
	t.Helper()
	const email, password = "away@example.com", "another horse battery staple 43"
	w := &world{t: t, portal: p, client: &http.Client{Timeout: 20 * time.Second}}
	w.must("register", "", "POST", "/v1/users", map[string]any{"email": email, "password": password, "name": "Away", "locale": "fr"})
	token := w.logIn(email, password)
	w.must("rename", token, "PATCH", "/v1/me", map[string]any{"name": "Before"})
	ask := func(method, path, token string, body any) answer {
		a, err := w.send(t.Context(), method, path, token, "", body)
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
		return a
	}
	n.Kill(t)
	refused := func(what string, a answer, begun time.Time) {
		if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s is answered %d %v with Retry-After %q", what, a.Status, a.Body, a.Header.Get("Retry-After"))
		}
		if took := time.Since(begun); took > 12*time.Second {
			t.Errorf("%s was refused after %s", what, took)
		}
	}
	var all sync.WaitGroup
	for i := range 25 {
		all.Go(func() {
			begun := time.Now()
			if i%5 == 0 {
				refused("a log-in", ask("POST", "/v1/sessions", "", map[string]any{"email": email, "password": password}), begun)
				return
			}
			refused("a write", ask("PATCH", "/v1/me", token, map[string]any{"name": "Somebody"}), begun)
		})
		all.Go(func() {
			if a := ask("GET", "/v1/me", token, nil); a.Status != http.StatusOK {
				t.Errorf("a read answers %d %v", a.Status, a.Body)
			}
		})
	}
	all.Wait()
	if a := ask("GET", "/readyz", "", nil); a.Status != http.StatusOK {
		t.Errorf("readyz answers %d: reads go on", a.Status)
	}
	checkReadyzSaysWhy(t, p)
	n.Restart(t)
	back := time.Now()
	for ask("PATCH", "/v1/me", token, map[string]any{"name": "Somebody else"}).Status != http.StatusOK {
		if time.Since(back) > 5*time.Second {
			t.Fatal("5 s after the store's return a write is still refused")
		}
	}
	w.logIn(email, password)
	t.Logf("a write succeeded %s after the store's return", time.Since(back))
}

func checkReadyzSaysWhy(t *testing.T, p *portal) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Admin(t)+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var detail struct {
		Degraded []string `json:"degraded"`
		Store    struct {
			Error string `json:"error"`
		} `json:"store"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&detail); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("readyz answers %d, %v", resp.StatusCode, err)
	}
	if !slices.Contains(detail.Degraded, "store") || !strings.Contains(detail.Store.Error, "refused") {
		t.Errorf("readyz says %+v", detail)
	}
}
