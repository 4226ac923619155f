package feed_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

// Added is the event of these tests; its row depends on order and on how often
// each event was applied.
type Added struct {
	N int `json:"n"`
}

// EventType is the name on disk.
func (Added) EventType() string { return "tally.added.v1" }

// Noise is an event that no lane of these tests handles.
type Noise struct{}

// EventType is the name on disk.
func (Noise) EventType() string { return "noise.made.v1" }

type tally struct {
	ID             string `db:"id"`
	Count          int    `db:"count"`
	Chain          int64  `db:"chain"`
	StreamRevision uint64 `db:"stream_revision"`
}

// add is one step of the fold.
func (row *tally) add(n int) {
	row.Count++
	row.Chain = (row.Chain*31 + int64(n)) % 1_000_003
}

func tallies() projections.Model {
	return projections.Define("tally", projections.Keep(projections.Table{Name: "read.tally", Category: "tally"},
		projections.On(func(rows *projections.Rows[tally], e Added, m projections.Meta) { rows.Get(m.AggregateID).add(e.N) }),
	))
}

// world is a store, a database with the table of these tests, and runners.
type world struct {
	*projectiontest.Side
	t testing.TB
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	db, _ := projectiontest.Database(tb)
	_, err := db.Exec(tb.Context(), `
		CREATE TABLE read.tally (
			id text PRIMARY KEY, count bigint NOT NULL, chain bigint NOT NULL, stream_revision bigint NOT NULL
		)`)
	if err != nil {
		tb.Fatal(err)
	}
	return over(tb, db)
}

// over is a world with a database that has the table.
func over(tb testing.TB, db *pgxpool.Pool) *world {
	tb.Helper()
	return &world{Side: projectiontest.Over(tb, db, []domain.Type{domain.TypeOf[Added](), domain.TypeOf[Noise]()}), t: tb}
}

// config is a runner's, of one lane under a handler.
func (w *world) config(handle feed.Handle) feed.Config {
	lane := tallies().Lane()
	if handle != nil {
		lane.Handle = handle
	}
	return feed.Config{
		Store: w.Store, Codec: w.Codec, DB: w.DB, LogID: w.LogID, Owner: "first",
		Lanes: []feed.Lane{lane}, Clock: time.Now,
	}
}

// run runs lanes until the returned function is called, or the test ends.
func (w *world) run(cfg feed.Config) (*feed.Runner, func()) {
	w.t.Helper()
	runner, err := feed.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return runner, stop
}

func (w *world) head() eventstore.Position {
	w.t.Helper()
	head, err := w.Store.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return head
}

func (w *world) settle(r *feed.Runner) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	if err := r.Wait(ctx, "tally", w.head()); err != nil {
		w.t.Fatalf("%v; %+v", err, r.Status())
	}
}

// halted waits until the lane has halted, and answers why.
func (w *world) halted(r *feed.Runner) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	far := eventstore.Position{Commit: 1 << 40}
	if err := r.Wait(ctx, "tally", far); !errors.Is(err, feed.ErrHalted) {
		w.t.Fatalf("got %v, want a halt; %+v", err, r.Status())
	}
	s, err := r.LaneStatus("tally")
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Error
}

func (w *world) rows() map[string]tally {
	w.t.Helper()
	rows, _ := w.DB.Query(w.t.Context(), `SELECT id, count, chain, stream_revision FROM read.tally`)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[tally])
	if err != nil {
		w.t.Fatal(err)
	}
	all := make(map[string]tally, len(found))
	for _, row := range found {
		all[row.ID] = row
	}
	return all
}

// folded is what the rows must be: the log, one event after the other.
func (w *world) folded() map[string]tally {
	w.t.Helper()
	all := make(map[string]tally)
	for r, err := range w.Store.ReadAll(w.t.Context(), eventstore.Start) {
		if err != nil {
			w.t.Fatal(err)
		}
		if r.Type != (Added{}).EventType() {
			continue
		}
		e, m, err := w.Codec.Decode(w.t.Context(), r)
		if err != nil {
			w.t.Fatal(err)
		}
		row := all[m.AggregateID]
		row.ID, row.StreamRevision = m.AggregateID, m.Revision
		row.add(e.(Added).N)
		all[m.AggregateID] = row
	}
	return all
}

func (w *world) equal() {
	w.t.Helper()
	if diff := cmp.Diff(w.folded(), w.rows()); diff != "" {
		w.t.Errorf("rows differ from a serial fold (-fold +rows):\n%s", diff)
	}
}

func (w *world) add(stream string, numbers ...int) {
	w.t.Helper()
	for _, n := range numbers {
		w.Given("", "tally-"+stream, Added{N: n})
	}
}

func TestALaneThatFailsForATimeGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", 1, 2, 3)
	var calls atomic.Int32
	r, _ := w.run(w.config(func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
		if err := tallies().Lane().Handle(ctx, tx, b); err != nil {
			return err
		}
		if calls.Add(1) < 3 {
			return &pgconn.PgError{Code: "40001"}
		}
		return nil
	}))
	w.settle(r)
	w.equal()
}

func TestAPoisonEventHaltsItsLaneAlone(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"by an error": func() error { return errors.New("cannot be") },
		"by a panic":  func() error { panic("cannot be") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add("a", 1, 2, 13, 4)
			cured := atomic.Bool{}
			cfg := w.config(func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
				if !cured.Load() && slices.ContainsFunc(b.Events, func(e feed.Event) bool { return e.Data.(Added).N == 13 }) {
					return fail()
				}
				return tallies().Lane().Handle(ctx, tx, b)
			})
			var healthy atomic.Int32
			cfg.Lanes = append(cfg.Lanes, feed.Lane{Name: "healthy", Types: []string{"tally."}, Handle: func(_ context.Context, _ *feed.Tx, b *feed.Batch) error {
				healthy.Add(int32(len(b.Events)))
				return nil
			}})
			r, _ := w.run(cfg)

			why := w.halted(r)
			if !strings.Contains(why, "revision 2") || !strings.Contains(why, "cannot be") {
				t.Errorf("the reason does not name the event: %s", why)
			}
			if got := w.rows()["a"].Count; got != 2 {
				t.Errorf("%d events before the poison are applied, want 2", got)
			}
			if err := r.Wait(t.Context(), "healthy", w.head()); err != nil || healthy.Load() != 4 {
				t.Error("the other lane did not go on", err, healthy.Load())
			}
			var recorded string
			if err := w.DB.QueryRow(t.Context(), `SELECT halted FROM feed.lane WHERE name = 'tally'`).Scan(&recorded); err != nil || recorded == "" {
				t.Error("the halt is not recorded", err)
			}

			cured.Store(true)
			if err := r.Wake("tally"); err != nil {
				t.Fatal(err)
			}
			w.settle(r)
			w.equal()
		})
	}
}

// Whoever asks meanwhile must not take the rows for those of a lane that goes on.
func TestALaneThatHaltedIsHaltedUntilItGetsPastTheEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", 1, 13)
	poisoned := w.config(func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
		if slices.ContainsFunc(b.Events, func(e feed.Event) bool { return e.Data.(Added).N == 13 }) {
			return errors.New("cannot be")
		}
		return tallies().Lane().Handle(ctx, tx, b)
	})
	r, stop := w.run(poisoned)
	why := w.halted(r)
	stop()

	trying := make(chan struct{})
	again := w.config(func(ctx context.Context, _ *feed.Tx, _ *feed.Batch) error {
		trying <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	again.Drain = time.Millisecond
	r, stop = w.run(again)
	<-trying
	if s, err := r.LaneStatus("tally"); err != nil || !s.Halted() || s.Error != why {
		t.Errorf("while it is tried again the lane says %+v %v, want %q", s, err, why)
	}
	stop() // before the event is handled

	r, _ = w.run(poisoned)
	if then := w.halted(r); then != why {
		t.Errorf("then it halts for %q, want %q", then, why)
	}
}

func TestAnUnknownEventHaltsTheLane(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", 1)
	_, err := w.Store.Append(t.Context(), "tally-b", eventstore.NoStream(),
		eventstore.NewEvent{ID: uuid.New(), Type: "tally.from_the_future.v9", Data: []byte(`{}`), Metadata: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := w.run(w.config(nil))
	if why := w.halted(r); !strings.Contains(why, "tally.from_the_future.v9") {
		t.Error(why)
	}
	if w.rows()["a"].Count != 1 {
		t.Error("what came before is not applied")
	}
}

// Outside clients of the embedded node, and other programs on a cluster, write
// to streams of their own and name their events as they like.
func TestAnEventOutsideTheStreamsOfItsCategoryIsNoFact(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", 1)
	for stream, event := range map[string]string{
		"other-a": "tally.added.v1",
		"other-b": "tally.from_the_future.v9",
		"tally":   "tally.added.v1",
	} {
		_, err := w.Store.Append(t.Context(), stream, eventstore.NoStream(),
			eventstore.NewEvent{ID: uuid.New(), Type: event, Data: []byte(`{"n":7}`), Metadata: []byte(`no metadata of ours`), Binary: true})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.add("a", 2)
	r, _ := w.run(w.config(nil))
	w.settle(r)
	if rows := w.rows(); len(rows) != 1 || rows["a"].Count != 2 {
		t.Errorf("the rows are %+v, want what was added to a", rows)
	}
}

func TestTwoOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", 1, 2, 3)
	entered, release := make(chan struct{}), make(chan struct{})
	first, _ := w.run(w.config(func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
		err := tallies().Lane().Handle(ctx, tx, b)
		entered <- struct{}{}
		<-release
		return err
	}))
	<-entered
	// The first owner stands still for longer than its lease.
	if _, err := w.DB.Exec(t.Context(), `UPDATE feed.lane SET lease_until = '-infinity'`); err != nil {
		t.Fatal(err)
	}
	cfg := w.config(nil)
	cfg.Owner = "second"
	second, _ := w.run(cfg)
	w.settle(second)
	close(release)
	w.add("a", 4)
	w.settle(second)
	w.settle(first) // which looks at the row of its rival
	if s, _ := first.LaneStatus("tally"); s.State != feed.Standby {
		t.Errorf("the loser is %s", s.State)
	}
	w.equal()
}

func TestALaneIsTakenOverByTheNextRunOfItsProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", 1)
	r, stop := w.run(w.config(nil))
	w.settle(r)
	stop()
	// A killed run gives nothing back: its lease still runs.
	if _, err := w.DB.Exec(t.Context(), `UPDATE feed.lane SET lease_until = 'infinity'`); err != nil {
		t.Fatal(err)
	}
	w.add("a", 2)
	again, _ := w.run(w.config(nil))
	w.settle(again)
	w.equal()
}

func TestABatchInFlightIsFinishedAtTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", 1, 2)
	entered, release := make(chan struct{}), make(chan struct{})
	runner, err := feed.New(w.config(func(ctx context.Context, tx *feed.Tx, b *feed.Batch) error {
		close(entered)
		<-release
		return tallies().Lane().Handle(ctx, tx, b)
	}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	<-entered
	cancel()
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.equal()
	var free bool
	if err := w.DB.QueryRow(t.Context(), `SELECT lease_until < now() FROM feed.lane`).Scan(&free); err != nil || !free {
		t.Error("the lane was not given up", err)
	}
}
