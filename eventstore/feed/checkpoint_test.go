package feed_test

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
	"github.com/hostfold/hostfold/eventstore/node"
)

// watched counts what a lane asks of the store.
type watched struct {
	eventstore.Store
	mu    sync.Mutex
	after []eventstore.Position
}

func (s *watched) Subscribe(ctx context.Context, after eventstore.Position, f eventstore.Filter) (eventstore.Subscription, error) {
	s.mu.Lock()
	s.after = append(s.after, after)
	s.mu.Unlock()
	return s.Store.Subscribe(ctx, after, f)
}

func TestACheckpointMovesOverWhatIsSkipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", 1)
	for range 50 {
		w.Given("", "noise-1", Noise{})
	}
	head := w.head()
	flushed := make(chan struct{}, 100)
	cfg := w.config(nil)
	cfg.Observe = func(o feed.Observation) {
		if o.Events == 0 && o.Err == nil {
			flushed <- struct{}{}
		}
	}
	r, stop := w.run(cfg)
	w.settle(r)
	<-flushed
	stop()

	store := &watched{Store: w.Store}
	cfg = w.config(nil)
	cfg.Store = store
	r, _ = w.run(cfg)
	w.add("a", 2)
	w.settle(r)
	if diff := cmp.Diff([]eventstore.Position{head}, store.after); diff != "" {
		t.Errorf("where the second run began: %s", diff)
	}
	w.equal()
}

func TestACheckpointOutlivesAScavengeOfItsEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	engine := w.Store.(*node.Engine)
	w.add("a", 1)
	for range 3 {
		w.Given("", "noise-1", Noise{})
	}
	flushed := make(chan struct{}, 100)
	cfg := w.config(nil)
	cfg.Observe = func(o feed.Observation) {
		if o.Events == 0 && o.Err == nil {
			flushed <- struct{}{}
		}
	}
	r, stop := w.run(cfg)
	w.settle(r)
	<-flushed
	stop()
	if _, err := engine.Tombstone(t.Context(), "noise-1", node.Any()); err != nil {
		t.Fatal(err)
	}
	w.add("a", 2)
	if out, err := engine.Scavenge(t.Context(), nil); err != nil || out.Events != 3 {
		t.Fatalf("scavenge answered %+v, %v", out, err)
	}
	r, _ = w.run(w.config(nil))
	w.settle(r)
	w.equal()
}

func TestACheckpointOfAnotherLogIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"another log id":           `UPDATE feed.lane SET log_id = gen_random_uuid()`,
		"another event":            `UPDATE feed.lane SET event_id = gen_random_uuid()`,
		"a log that lost its end":  `UPDATE feed.lane SET commit_pos = 1000000, prepare_pos = 1000000`,
		"a place without an event": `UPDATE feed.lane SET event_commit = 999999, event_prepare = 999999`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add("a", 1, 2)
			r, stop := w.run(w.config(nil))
			w.settle(r)
			stop()
			if _, err := w.DB.Exec(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			r, _ = w.run(w.config(nil))
			if why := w.halted(r); !strings.Contains(why, "hostfold projections rebuild tally") {
				t.Error(why)
			}

			if err := tallies().Rebuild(t.Context(), w.DB, r); err != nil {
				t.Fatal(err)
			}
			w.settle(r)
			w.equal()
		})
	}
}

func TestARebuildByAnotherProcessIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", 1, 2)
	cfg := w.config(nil)
	cfg.Lease = 300 * time.Millisecond
	again := make(chan struct{}, 10)
	cfg.Lanes[0].Handle = func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
		defer func() { again <- struct{}{} }()
		return tallies().Lane().Handle(ctx, tx, b)
	}
	r, _ := w.run(cfg)
	w.settle(r)
	<-again
	if err := tallies().Rebuild(t.Context(), w.DB, nil); err != nil {
		t.Fatal(err)
	}
	<-again
	w.add("a", 3)
	w.settle(r)
	w.equal()
}

// counter counts statements and transactions on a pool.
type counter struct{ statements, begins atomic.Int64 }

func (c *counter) note(sql string) {
	switch {
	case sql == "begin":
		c.begins.Add(1)
	case sql != "commit" && sql != "rollback":
		c.statements.Add(1)
	}
}

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	c.note(d.SQL)
	return ctx
}
func (*counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (*counter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (c *counter) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	c.note(d.SQL)
}
func (*counter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func TestAThousandEventsAreOneTransactionOfThreeStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 1000 {
		w.add(strconv.Itoa(i%100), i)
	}
	count := &counter{}
	pool := w.DB.Config()
	pool.ConnConfig.Tracer = count
	db, err := pgxpool.NewWithConfig(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	cfg := w.config(nil)
	var statements, begins int64
	handle := cfg.Lanes[0].Handle
	cfg.DB = db
	cfg.Lanes[0].Handle = func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
		if len(b.Events) != 1000 {
			t.Errorf("a batch has %d events", len(b.Events))
		}
		statements, begins = count.statements.Load(), count.begins.Load()-1
		return handle(ctx, tx, b)
	}
	done := make(chan struct{})
	cfg.Observe = func(feed.Observation) {
		statements, begins = count.statements.Load()-statements, count.begins.Load()-begins
		select {
		case <-done:
		default:
			close(done)
		}
	}
	r, stop := w.run(cfg)
	<-done
	if statements > 3 || begins > 1 {
		t.Errorf("%d statements in %d transactions", statements, begins)
	}
	w.settle(r)
	stop()
	w.equal()
	if len(slices.Collect(maps.Keys(w.rows()))) != 100 {
		t.Error("not every row is there")
	}
}
