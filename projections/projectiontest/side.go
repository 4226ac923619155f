package projectiontest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
	"github.com/hostfold/hostfold/eventstore/keystest"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/projections"
)

// Noon is the time of the first event of a Side; each next is a minute later.
func Noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// patience bounds every wait of a test.
const patience = 30 * time.Second

// Side is a read side: a store in memory, a database, and the lanes between.
type Side struct {
	Store  eventstore.Store
	Codec  *eventstore.Codec
	DB     *pgxpool.Pool
	LogID  uuid.UUID
	Models []projections.Model
	Runner *feed.Runner
	Reader *projections.Reader

	t    testing.TB
	mu   sync.Mutex
	next map[string]uint64
	now  time.Time
	stop func()
}

// Start runs the models' lanes over an empty store whose codec knows the types.
// The lanes end with the test.
func Start(tb testing.TB, types []domain.Type, models ...projections.Model) *Side {
	tb.Helper()
	s := New(tb, types, models...)
	s.Run(projections.Lanes(models...)...)
	return s
}

// New is a read side whose lanes do not run yet.
func New(tb testing.TB, types []domain.Type, models ...projections.Model) *Side {
	tb.Helper()
	db, _ := Database(tb)
	return Over(tb, db, types, models...)
}

// Over is New with a database that the caller has.
func Over(tb testing.TB, db *pgxpool.Pool, types []domain.Type, models ...projections.Model) *Side {
	tb.Helper()
	store, err := node.Open("log", node.Options{FS: vfs.NewMem(), Clock: time.Now, NewID: uuid.New})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	codec, err := eventstore.NewCodec(append(eventstore.LogTypes(), types...)...)
	if err != nil {
		tb.Fatal(err)
	}
	logID, err := eventstore.LogID(tb.Context(), store, uuid.New(), Noon())
	if err != nil {
		tb.Fatal(err)
	}
	return &Side{
		Store: store, Codec: codec.WithKeys(keystest.New()), DB: db, LogID: logID, Models: models,
		t: tb, next: make(map[string]uint64), now: Noon(),
	}
}

// Run runs lanes until Stop or the end of the test.
func (s *Side) Run(lanes ...feed.Lane) {
	s.t.Helper()
	runner, err := feed.New(feed.Config{
		Store: s.Store, Codec: s.Codec, DB: s.DB, LogID: s.LogID, Owner: "test", Lanes: lanes, Clock: time.Now,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.Runner, s.Reader = runner, projections.NewReader(s.DB, runner, s.LogID)
	s.Reader.Witnessed(nobody{})
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(s.stop)
}

// Stop ends the lanes in order, as at the end of a process.
func (s *Side) Stop() { s.stop() }

// Given appends events to a stream, owned by an account and one minute apart,
// and answers the position of the last.
func (s *Side) Given(account, stream string, events ...domain.Event) eventstore.Position {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var last eventstore.Position
	for _, e := range events {
		command := uuid.New()
		stored, err := s.Codec.Encode(s.t.Context(), stream, uuid.NewSHA1(command, []byte(stream)), e, eventstore.Metadata{
			Actor: domain.Actor{Kind: domain.ActorSystem, ID: "test"}, Account: account,
			CommandID: command, Command: "Test", OccurredAt: s.now,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		done, err := s.Store.Append(s.t.Context(), stream, eventstore.After(s.next[stream]), stored)
		if err != nil {
			s.t.Fatal(err)
		}
		s.next[stream]++
		s.now = s.now.Add(time.Minute)
		last = done.Position
	}
	return last
}

// In has failures be those of t until back is called: a fuzz target's are not
// its fuzzer's.
func (s *Side) In(t testing.TB) (back func()) {
	t.Helper()
	was := s.t
	s.t = t
	return func() { s.t = was }
}

// Settle waits until every lane of the models has passed the log's head.
func (s *Side) Settle() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	head, err := s.Store.Head(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, status := range s.Runner.Status() {
		if err := s.Runner.Wait(ctx, status.Lane, head); err != nil {
			s.t.Fatalf("lane %s: %v; status %+v", status.Lane, err, s.Runner.Status())
		}
	}
}

// Checksums are those of the models' rows.
func (s *Side) Checksums() map[string]string {
	s.t.Helper()
	sums, err := projections.Checksums(s.t.Context(), s.DB, s.Models)
	if err != nil {
		s.t.Fatal(err)
	}
	return sums
}

// RebuildsEqual rebuilds every model from zero and fails when a row differs.
func (s *Side) RebuildsEqual() {
	s.t.Helper()
	s.Settle()
	before := s.Checksums()
	for _, m := range s.Models {
		if err := m.Rebuild(s.t.Context(), s.DB, s.Runner); err != nil {
			s.t.Fatal(err)
		}
	}
	s.Settle()
	if diff := cmp.Diff(before, s.Checksums()); diff != "" {
		s.t.Errorf("rows after a rebuild differ (-before +after):\n%s", diff)
	}
}

// nobody is the witness of tests that are not about it.
type nobody struct{}

// Saw lets staff see.
func (nobody) Saw(context.Context, delegation.Grants, []inspection.Sight) error { return nil }
