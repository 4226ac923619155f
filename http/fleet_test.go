package http_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	"github.com/hostfold/hostfold/eventstore/feed"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/answers"
)

// fleet is several processes over the same store and database behind a
// balancer. Each has its own connections, vault and lanes; they die without a
// word and come back.
type fleet struct {
	w      *world
	config portalhttp.Config
	turn   atomic.Int64

	mu     sync.Mutex
	serial int
	live   []*life // nil where one is dead
}

// life is one process from its start to its death.
type life struct {
	handler http.Handler
	// over ends when it dies.
	over context.Context //nolint:containedctx // it stands for a process
	die  func()
}

// fleet takes the world's place with some processes; the world's own lanes end.
func (w *world) fleet(t *testing.T, c portalhttp.Config, size int) *fleet {
	t.Helper()
	w.Stop()
	f := &fleet{w: w, config: c, live: make([]*life, size)}
	for i := range f.live {
		f.revive(t, i)
	}
	w.handler = f
	return f
}

// revive starts the process again, if it is dead.
func (f *fleet) revive(t *testing.T, i int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.live[i] == nil {
		f.serial++
		f.live[i] = f.w.life(t, f.config, fmt.Sprintf("process %d", f.serial))
	}
}

// kill ends a process where it stands: its connections break, what it does is
// cut off, and its leases are left to run out.
func (f *fleet) kill(i int) {
	f.mu.Lock()
	dying := f.live[i]
	f.live[i] = nil
	f.mu.Unlock()
	if dying != nil {
		dying.die()
	}
}

// pick is a live process, one after the other.
func (f *fleet) pick() *life {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if l := f.live[int(f.turn.Add(1))%len(f.live)]; l != nil {
			return l
		}
	}
}

// lost is the header by which the balancer says that the process died while it
// answered: the client cannot count on having heard.
const lost = "Lost"

// ServeHTTP is the balancer. What a process says while it dies is passed on,
// so that it is judged, too.
func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l := f.pick()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(l.over, cancel)()
	rec := httptest.NewRecorder()
	l.handler.ServeHTTP(rec, r.WithContext(ctx))
	maps.Copy(w.Header(), rec.Header())
	if l.over.Err() != nil {
		w.Header().Set(lost, "true")
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// life starts a process.
func (w *world) life(t *testing.T, c portalhttp.Config, name string) *life {
	t.Helper()
	wire := &cable{}
	settings := w.DB.Config()
	settings.ConnConfig.DialFunc, settings.MaxConns = wire.dial, 8
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(t.Context()), settings)
	if err != nil {
		t.Fatal(err)
	}
	secrets := vaulttest.OpenWith(t, pool, w.Store, w.keyFile, w.clock)
	runner, err := feed.New(feed.Config{
		Store: w.Store, Codec: w.Codec, DB: pool, LogID: w.LogID, Owner: name, Clock: time.Now, Lanes: projections.Lanes(w.Models...),
		Lease: time.Second, Drain: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var parts sync.WaitGroup
	c.Dispatcher = &commands.Dispatcher{Store: w.Store, Codec: w.Codec, Vault: secrets, Pepper: secrets.Pepper(), Clock: w.clock, Rand: w.dispatcher.Rand}
	c.Vault, c.Answers = secrets, answers.Store{DB: pool}
	c.Reader = projections.NewReader(pool, runner, w.LogID)
	c.Feed = projections.NewFeed(c.Reader, w.Store, w.Codec)
	// What a process says of its own death is of no interest: its wire is cut.
	parts.Go(func() { _ = runner.Run(over) })
	parts.Go(func() { _ = c.Feed.Run(over) })
	die := sync.OnceFunc(func() {
		wire.set(true)
		cancel()
		parts.Wait()
		pool.Close()
	})
	t.Cleanup(die)
	return &life{handler: portalhttp.New(c), over: over, die: die}
}

// insist asks until an answer comes that can be counted on.
func (w *world) insist(t *testing.T, as party, method, path, body string, headers ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		a := w.call(as, method, path, body, headers...)
		if a.header.Get(lost) == "" && a.status < 500 {
			return a
		}
		if a.header.Get(lost) == "" && a.status != http.StatusServiceUnavailable {
			t.Errorf("%s %s answered %d: %s", method, path, a.status, a.body)
		}
	}
	t.Fatalf("%s %s is not answered", method, path)
	return answer{}
}

// call sends a request and checks nothing.
func (w *world) call(as party, method, path, body string, headers ...string) answer {
	if as.token != "" {
		headers = append(headers, "Authorization", "Bearer "+as.token)
	}
	return raw(w.handler, method, path, body, headers...)
}
