package feed_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// torn is a store whose subscriptions answer in pieces of chosen sizes, break
// now and then, and repeat themselves when they begin anew.
type torn struct {
	eventstore.Store
	mu     sync.Mutex
	pieces []int
	breaks []bool
}

func (s *torn) next(limit int) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	broken := len(s.breaks) > 0 && s.breaks[0]
	if len(s.breaks) > 0 {
		s.breaks = s.breaks[1:]
	}
	if len(s.pieces) > 0 {
		limit = min(limit, s.pieces[0])
		s.pieces = s.pieces[1:]
	}
	return limit, broken
}

func (s *torn) Subscribe(ctx context.Context, after eventstore.Position, f eventstore.Filter) (eventstore.Subscription, error) {
	if after.Commit > 2 {
		after = eventstore.Position{Commit: after.Commit - 2, Prepare: after.Prepare - 2}
	}
	sub, err := s.Store.Subscribe(ctx, after, f)
	return &tornSubscription{Subscription: sub, store: s}, err
}

type tornSubscription struct {
	eventstore.Subscription
	store *torn
}

func (s *tornSubscription) Next(ctx context.Context, limit int) (eventstore.Batch, error) {
	limit, broken := s.store.next(limit)
	if broken {
		return eventstore.Batch{}, eventstore.ErrUnavailable
	}
	return s.Subscription.Next(ctx, limit)
}

// TestAnySplitGivesTheSameRows is the lanes' promise: however the log is cut
// into batches, wherever a process ends and begins again, whatever is delivered
// twice, rows are those of reading event after event.
func TestAnySplitGivesTheSameRows(t *testing.T) {
	t.Parallel()
	db := newWorld(t).DB
	rapid.Check(t, func(rt *rapid.T) {
		if _, err := db.Exec(t.Context(), `TRUNCATE read.tally, feed.lane`); err != nil {
			t.Fatal(err)
		}
		w := over(t, db)
		for range rapid.IntRange(1, 25).Draw(rt, "events") {
			w.add(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "stream"), rapid.IntRange(0, 100).Draw(rt, "number"))
			if rapid.Bool().Draw(rt, "noise") {
				w.Given("", "noise-1", Noise{})
			}
		}
		store := &torn{
			Store:  w.Store,
			pieces: rapid.SliceOfN(rapid.IntRange(1, 7), 0, 20).Draw(rt, "pieces"),
			breaks: rapid.SliceOfN(rapid.SampledFrom([]bool{false, false, false, true}), 0, 6).Draw(rt, "breaks"),
		}
		for range rapid.IntRange(0, 3).Draw(rt, "crashes") {
			w.crash(store, rapid.IntRange(1, 4).Draw(rt, "batches"), rapid.Bool().Draw(rt, "committed"))
		}
		cfg := w.config(nil)
		cfg.Store = store
		r, stop := w.run(cfg)
		w.settle(r)
		stop()
		w.equal()
	})
}

// crash runs the lane until its n-th batch or the end of the log, and ends it
// there: after the commit, or with everything of the batch but the commit done.
func (w *world) crash(store eventstore.Store, n int, committed bool) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	defer cancel()
	handle := tallies().Lane().Handle
	cfg := w.config(func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
		n--
		err := handle(ctx, tx, b)
		if n == 0 && !committed {
			cancel()
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		return err
	})
	cfg.Store = store
	cfg.Observe = func(feed.Observation) {
		if n <= 0 {
			cancel()
		}
	}
	runner, err := feed.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	if runner.Wait(ctx, "tally", w.head()) == nil {
		cancel()
	}
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
}

// deaf is a connection that, once armed, sends the next commit, waits until it
// was answered, and breaks without handing the answer on.
type deaf struct {
	net.Conn
	armed *atomic.Bool
	cut   atomic.Bool
}

func (c *deaf) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if string(b) == "Q\x00\x00\x00\x0bcommit\x00" && c.armed.CompareAndSwap(true, false) {
		c.cut.Store(true)
	}
	return n, err
}

func (c *deaf) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.cut.Load() && n > 0 {
		return 0, errors.Join(io.ErrUnexpectedEOF, c.Close())
	}
	return n, err
}

func TestALostAnswerToACommitIsLookedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", 1, 2, 3)
	armed := &atomic.Bool{}
	pool := w.DB.Config()
	dial := pool.ConnConfig.DialFunc
	pool.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &deaf{Conn: conn, armed: armed}, err
	}
	db, err := pgxpool.NewWithConfig(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	var handled atomic.Int32
	cfg := w.config(func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
		handled.Add(1)
		armed.Store(handled.Load() == 1)
		return tallies().Lane().Handle(ctx, tx, b)
	})
	cfg.DB = db
	failures := make(chan error, 10)
	cfg.Observe = func(o feed.Observation) {
		if o.Err != nil {
			failures <- o.Err
		}
	}
	r, _ := w.run(cfg)
	w.settle(r)
	w.equal()
	if len(failures) != 1 || handled.Load() != 1 {
		t.Errorf("%d failed attempts and %d runs of the handler, want one of each", len(failures), handled.Load())
	}
}
