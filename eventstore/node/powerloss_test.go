package node_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// witness remembers what was acknowledged to a writer or shown to a reader.
type witness struct {
	mu   sync.Mutex
	seen map[uuid.UUID]uint64 // event id to position, 0 when not told
}

func (w *witness) acknowledged(list []eventstore.NewEvent, out eventstore.Appended) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, e := range list {
		w.seen[e.ID] = out.Position.Commit - uint64(len(list)-1-i)
	}
}

func (w *witness) read(r eventstore.Recorded) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[r.ID] = r.Position.Commit
}

func (w *witness) copy() map[uuid.UUID]uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.seen)
}

// whole checks that a log and its streams agree and have no holes, and answers
// the position of every event.
func whole(t *testing.T, e *node.Engine) map[uuid.UUID]uint64 {
	t.Helper()
	found := map[uuid.UUID]uint64{}
	streams := map[string][]eventstore.Recorded{}
	last := eventstore.Start
	for _, r := range collect(t, e.ReadAll(t.Context(), eventstore.Start)) {
		if !last.Before(r.Position) {
			t.Fatalf("position %s follows %s", r.Position, last)
		}
		last = r.Position
		found[r.ID] = r.Position.Commit
		streams[r.Stream] = append(streams[r.Stream], r)
	}
	for name, want := range streams {
		got := streamOf(t, e, name)
		if len(got) != len(want) {
			t.Fatalf("stream %s reads %d events, the log holds %d of it", name, len(got), len(want))
		}
		for i := range got {
			if got[i].Revision != uint64(i) || got[i].ID != want[i].ID || got[i].Position != want[i].Position {
				t.Fatalf("stream %s: %d@%s where the log has %d@%s", name, got[i].Revision, got[i].Position, want[i].Revision, want[i].Position)
			}
		}
	}
	return found
}

func survived(t *testing.T, e *node.Engine, seen map[uuid.UUID]uint64) {
	t.Helper()
	found := whole(t, e)
	for id, pos := range seen {
		if found[id] != pos {
			t.Fatalf("event %s was known at %d and is now at %d of %d", id, pos, found[id], len(found))
		}
	}
}

// TestPowerLoss cuts the power while writers, readers and subscribers are at
// work: what anybody was told must be there afterwards.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	rounds := 30
	if raced {
		rounds = 5
	}
	rng := rand.New(rand.NewPCG(7, 11))
	fs := vfs.NewCrashableMem()
	w := &witness{seen: map[uuid.UUID]uint64{}}
	for round := range rounds {
		seen, crashed := useUntilCrash(t, fs, w, rng, round)
		e := open(t, "node", node.Options{FS: crashed})
		survived(t, e, seen)
		if round%5 == 4 {
			derivedAgrees(t, e)
		}
		w.seen = whole(t, e) // what was lost unseen is no longer expected
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		fs = crashed
	}
	t.Logf("%d events outlived %d power losses", len(w.seen), rounds)
}

// useUntilCrash runs a store for a while and answers what was known at the
// moment of the crash, and the file system as it is found afterwards.
func useUntilCrash(t *testing.T, fs *vfs.MemFS, w *witness, rng *rand.Rand, round int) (map[uuid.UUID]uint64, *vfs.MemFS) {
	t.Helper()
	disk := disturb(fs)
	e := open(t, "node", node.Options{FS: disk})
	var work sync.WaitGroup
	stop := make(chan struct{})
	var appends atomic.Int64
	enough := make(chan struct{})
	target := int64(50 + rng.IntN(400))
	for i := range 8 {
		work.Go(func() {
			writeUntil(t, e, w, fmt.Sprintf("s-%d", i), stop, func() {
				if appends.Add(1) == target {
					close(enough)
				}
			})
		})
	}
	work.Go(func() { readUntil(t, e, w, stop) })
	work.Go(func() { indexUntil(t, e, stop) })
	sub, err := e.Subscribe(t.Context(), eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	work.Go(func() { followUntil(t, sub, w) })
	<-enough
	if round%2 == 0 { // hold a sync back: its group is written, but not durable
		disk.held.Lock()
		<-disk.reached
		for _, r := range collect(t, e.ReadAll(t.Context(), eventstore.Start)) {
			w.read(r)
		}
	}
	seen := w.copy()
	crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	if round%2 == 0 {
		disk.held.Unlock()
	}
	close(stop)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	work.Wait()
	return seen, crashed
}

func writeUntil(t *testing.T, e *node.Engine, w *witness, stream string, stop <-chan struct{}, done func()) {
	t.Helper()
	for n := 1; ; n = n%3 + 1 {
		select {
		case <-stop:
			return
		default:
		}
		list := newEvents(n)
		out, err := e.AppendExpecting(t.Context(), stream, node.Any(), list)
		if err != nil {
			if !errors.Is(err, node.ErrClosed) {
				t.Errorf("append: %v", err)
			}
			return
		}
		w.acknowledged(list, out)
		done()
	}
}

func readUntil(t *testing.T, e *node.Engine, w *witness, stop <-chan struct{}) {
	t.Helper()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		for r, err := range e.Stream(t.Context(), fmt.Sprintf("s-%d", i%8), node.Backwards, node.NoLimit, 50) {
			if err != nil {
				return
			}
			w.read(r)
		}
	}
}

// indexUntil reads a derived stream and has its index written, again and again.
func indexUntil(t *testing.T, e *node.Engine, stop <-chan struct{}) {
	t.Helper()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if _, err := e.LastRevision(t.Context(), "$ce-s"); err != nil {
			return
		}
		if err := e.WriteIndex(); err != nil {
			return
		}
	}
}

func followUntil(t *testing.T, sub eventstore.Subscription, w *witness) {
	t.Helper()
	for {
		batch, err := sub.Next(t.Context(), 100)
		if err != nil {
			return
		}
		for _, r := range batch.Events {
			w.read(r)
		}
	}
}

func TestNothingIsToldBeforeItIsDurable(t *testing.T) {
	t.Parallel()
	disk := disturb(vfs.NewMem())
	e := open(t, "node", node.Options{FS: disk})
	before := appendTo(t, e, "s-1", 3)
	disk.held.Lock()
	first, err := e.Submit(t.Context(), "s-1", node.Revision(2), newEvents(2))
	if err != nil {
		t.Fatal(err)
	}
	<-disk.reached
	head, err := e.Head(t.Context())
	if err != nil || head != before.Position {
		t.Errorf("head is %s, %v; want %s", head, err, before.Position)
	}
	if last, err := e.LastRevision(t.Context(), "s-1"); err != nil || last != 2 {
		t.Errorf("the last revision is %d, %v; want 2", last, err)
	}
	reads := map[string][]eventstore.Recorded{
		"stream":           streamOf(t, e, "s-1"),
		"stream backwards": collect(t, e.Stream(t.Context(), "s-1", node.Backwards, node.NoLimit, node.NoLimit)),
		"log":              collect(t, e.ReadAll(t.Context(), eventstore.Start)),
		"log backwards":    collect(t, e.All(t.Context(), node.Backwards, node.End, node.NoLimit)),
	}
	for name, list := range reads {
		if len(list) != 3 {
			t.Errorf("%s shows %d events, want 3", name, len(list))
		}
	}
	disk.held.Unlock()
	if out, err := first.Wait(t.Context()); err != nil || out.Revision != 4 {
		t.Errorf("the append answered %+v, %v", out, err)
	}
	if n := len(streamOf(t, e, "s-1")); n != 5 {
		t.Errorf("%d events after the sync, want 5", n)
	}
}

func TestAFailedSyncStopsTheEngine(t *testing.T) {
	t.Parallel()
	mem := vfs.NewCrashableMem()
	disk := disturb(mem)
	var fatal atomic.Int64
	e, err := node.Open("node", node.Options{FS: disk, Fatal: func(err error) {
		if fatal.Add(1) > 1 {
			t.Errorf("stopped again: %v", err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{seen: map[uuid.UUID]uint64{}}
	list := newEvents(5)
	out, err := e.AppendExpecting(t.Context(), "s-1", node.Any(), list)
	if err != nil {
		t.Fatal(err)
	}
	w.acknowledged(list, out)
	disk.failing.Store(true)
	if _, err := e.AppendExpecting(t.Context(), "s-1", node.Any(), newEvents(1)); !errors.Is(err, eventstore.ErrUncertain) {
		t.Errorf("an append whose sync failed answered %v", err)
	}
	closedAnswers(t, e)
	if fatal.Load() != 1 {
		t.Errorf("the process was stopped %d times, want once", fatal.Load())
	}
	crashed := mem.CrashClone(vfs.CrashCloneCfg{})
	survived(t, open(t, "node", node.Options{FS: crashed}), w.seen)
	disk.failing.Store(false)
	if err := e.Close(); err != nil {
		t.Logf("close after the failure: %v", err)
	}
}
