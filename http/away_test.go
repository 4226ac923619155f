package http_test

import (
	"context"
	"iter"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/answers"
)

// leaving is a store that can go away.
type leaving struct {
	eventstore.Store
	away atomic.Bool
}

func (s *leaving) Append(ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	if s.away.Load() {
		return eventstore.Appended{}, eventstore.ErrUnavailable
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

func (s *leaving) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[eventstore.Recorded, error] {
	if s.away.Load() {
		return func(yield func(eventstore.Recorded, error) bool) {
			yield(eventstore.Recorded{}, eventstore.ErrUnavailable)
		}
	}
	return s.Store.ReadStream(ctx, stream, from)
}

func (s *leaving) Head(ctx context.Context) (eventstore.Position, error) {
	if s.away.Load() {
		return eventstore.Position{}, eventstore.ErrUnavailable
	}
	return s.Store.Head(ctx)
}

func TestWithTheStoreAwayReadsGoOn(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	store := &leaving{Store: w.Store}
	w.dispatcher.Store = store
	path := "/v1/accounts/" + ada.account
	login := `{"email":"ada@example.com","password":"` + password + `"}`
	store.away.Store(true)
	w.play(t,
		step{"a write", ada, "PATCH", path, `{"name":"new"}`, nil, 503, "unavailable", nil},
		step{"a log-in", nobody, "POST", "/v1/sessions", login, nil, 503, "unavailable", nil},
		step{"a read", ada, "GET", path, "", nil, 200, "", nil},
	)
	if a := w.do(t, ada, http.MethodPatch, path, `{"name":"new"}`); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	var wg sync.WaitGroup
	for range 12 { // more than are allowed with a wrong password
		wg.Go(func() {
			if a := w.do(t, nobody, http.MethodPost, "/v1/sessions", login); a.status != 503 {
				t.Errorf("a log-in meanwhile is answered %d", a.status)
			}
		})
	}
	wg.Wait()
	store.away.Store(false)
	w.must(t, ada, http.MethodPatch, path, `{"name":"new"}`, 200)
	w.must(t, nobody, http.MethodPost, "/v1/sessions", login, 201)
}

// crowded is a store whose disk can run short of space.
type crowded struct {
	eventstore.Store
	full atomic.Bool
}

func (s *crowded) Append(ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	if s.full.Load() {
		return eventstore.Appended{}, eventstore.ErrNoSpace
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

func TestWithTheDiskFullReadsGoOnAndWritesSayWhy(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	store := &crowded{Store: w.Store}
	w.dispatcher.Store = store
	path := "/v1/accounts/" + ada.account
	store.full.Store(true)
	w.play(t,
		step{"a write", ada, "PATCH", path, `{"name":"new"}`, nil, 503, "storage_full", nil},
		step{"a read", ada, "GET", path, "", nil, 200, "", nil},
	)
	if a := w.do(t, ada, http.MethodPatch, path, `{"name":"new"}`); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	store.full.Store(false)
	w.must(t, ada, http.MethodPatch, path, `{"name":"new"}`, 200)
}

// cable leads to Postgres and can be cut.
type cable struct {
	mu   sync.Mutex
	cut  bool
	open []net.Conn
}

func (c *cable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err == nil {
		c.open = append(c.open, conn)
	}
	return conn, err
}

// set cuts the cable, or mends it.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	for _, conn := range c.open {
		_ = conn.Close()
	}
	c.open = nil
}

func TestWithPostgresAwayNobodyIsKnown(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	lead := &cable{}
	settings := w.DB.Config()
	settings.ConnConfig.DialFunc = lead.dial
	pool, err := pgxpool.NewWithConfig(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	c := config()
	c.Dispatcher, c.Answers = w.dispatcher, answers.Store{DB: pool}
	c.Reader = projections.NewReader(pool, w.Runner, w.LogID)
	c.Vault = vaulttest.OpenWith(t, pool, w.Store, w.keyFile, time.Now)
	through := &world{Side: w.Side, handler: portalhttp.New(c)}
	path := "/v1/accounts/" + ada.account
	through.must(t, ada, http.MethodGet, path, "", 200)
	lead.set(true)
	through.play(t,
		step{"a read", ada, "GET", path, "", nil, 503, "unavailable", nil},
		step{"a write", ada, "PATCH", path, `{"name":"new"}`, nil, 503, "unavailable", nil},
		step{"public news", nobody, "GET", "/v1/news", "", nil, 503, "unavailable", nil},
	)
	lead.set(false)
	through.must(t, ada, http.MethodGet, path, "", 200)
}

// breakRights appends an event that the lane of rights cannot handle.
func (w *world) breakRights(t *testing.T) {
	t.Helper()
	_, err := w.Store.Append(t.Context(), "account-acc_broken", eventstore.NoStream(), eventstore.NewEvent{
		ID: uuid.New(), Type: "account.opened.v2", Data: []byte(`{"owner":7}`),
		Metadata: []byte(`{"actor":{"kind":"system"},"command_id":"` + uuid.NewString() + `","command":"Test","schema":1,"occurred_at":"2026-01-01T00:00:00Z"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWithTheRightsHaltedNobodyIsLetIn(t *testing.T) {
	t.Parallel()
	w := begin(t)
	ada := w.customer(t, "ada")
	w.breakRights(t)
	head, err := w.Store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_ = w.Runner.Wait(ctx, projections.RightsModel, head)
	if s, err := w.Runner.LaneStatus(projections.RightsModel); err != nil || s.State != feed.Halted {
		t.Fatal(s, err)
	}
	w.play(t,
		step{"a read", ada, "GET", "/v1/accounts/" + ada.account, "", nil, 503, "unavailable", nil},
		step{"a write", ada, "PATCH", "/v1/me", `{"name":"new"}`, nil, 503, "unavailable", nil},
		step{"public news", nobody, "GET", "/v1/news", "", nil, 200, "", nil},
	)
}
