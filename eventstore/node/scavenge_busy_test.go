package node_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// TestAppendsAndReadsGoOnDuringAScavenge has writers that truncate their
// streams, readers and subscribers while scavenges run.
func TestAppendsAndReadsGoOnDuringAScavenge(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	const keeps = 50
	var work sync.WaitGroup
	for w := range 4 {
		stream := fmt.Sprintf("s-%d", w)
		if _, err := e.AppendExpecting(t.Context(), "$$"+stream, node.Any(), []eventstore.NewEvent{{ID: uuid.New(), Type: "$metadata", Data: fmt.Appendf(nil, `{"$maxCount":%d}`, keeps)}}); err != nil {
			t.Fatal(err)
		}
		work.Go(func() { truncating(t, e, stream) })
	}
	sub, err := e.Subscribe(t.Context(), eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var followers sync.WaitGroup
	followers.Go(func() { followLast(t, sub) })
	written := make(chan struct{})
	var scavenger sync.WaitGroup
	removed := uint64(0)
	scavenger.Go(func() {
		for {
			out, err := e.Scavenge(t.Context(), nil)
			if err != nil {
				t.Errorf("scavenge: %v", err)
				return
			}
			removed += out.Events
			select {
			case <-written:
				return
			default:
			}
		}
	})
	work.Wait()
	close(written)
	scavenger.Wait()
	appendTo(t, e, "end", 1)
	followers.Wait()
	removed += scavenge(t, e).Events
	if left := len(collect(t, e.ReadAll(t.Context(), eventstore.Start))); left+int(removed) != 4*600*2+5 || left != 4*(keeps+1)+1 {
		t.Errorf("%d events are left, %d were removed", left, removed)
	}
}

// truncating appends to a stream, and sees its newest events whole each time.
func truncating(t *testing.T, e *node.Engine, stream string) {
	t.Helper()
	for i := range 600 {
		list := newEvents(2)
		out, err := e.AppendExpecting(t.Context(), stream, node.Any(), list)
		if err != nil {
			t.Errorf("append: %v", err)
			return
		}
		if again, err := e.AppendExpecting(t.Context(), stream, node.Any(), list); err != nil || again != out {
			t.Errorf("the repeat answered %+v, %v", again, err)
			return
		}
		if i%7 > 0 {
			continue
		}
		next := max(int(out.Revision)-49, 0)
		for r, err := range e.ReadStream(t.Context(), stream, 0) {
			if err != nil || int(r.Revision) != next {
				t.Errorf("%s reads %d, %v; want %d", stream, r.Revision, err, next)
				return
			}
			next++
		}
		if next != int(out.Revision)+1 {
			t.Errorf("%s reads up to %d, %d were written", stream, next, out.Revision+1)
			return
		}
	}
}

// followLast follows the log until the stream end, with ever rising positions.
func followLast(t *testing.T, sub eventstore.Subscription) {
	t.Helper()
	through := eventstore.Start
	for {
		batch, err := sub.Next(t.Context(), 30)
		if err != nil {
			t.Errorf("subscription: %v", err)
			return
		}
		for _, r := range batch.Events {
			if !through.Before(r.Position) || batch.Through.Before(r.Position) {
				t.Errorf("position %s follows %s, the batch ends at %s", r.Position, through, batch.Through)
				return
			}
			through = r.Position
			if r.Stream == "end" {
				return
			}
		}
		through = batch.Through
	}
}

// TestAScavengeOutlivesPowerLoss cuts the power at any moment of a scavenge: no
// more is missing than what it could remove, and it can be run again.
func TestAScavengeOutlivesPowerLoss(t *testing.T) {
	t.Parallel()
	rounds := 25
	if raced {
		rounds = 3
	}
	rng := rand.New(rand.NewPCG(21, 3))
	partly := 0
	for round := range rounds {
		fs := vfs.NewCrashableMem()
		e := open(t, "node", node.Options{FS: fs})
		for i := range 40 {
			for s := range 6 {
				appendTo(t, e, fmt.Sprintf("c-%d", s), 1+(i+s)%40)
			}
		}
		doTo(t, e.Tombstone, "c-1")
		doTo(t, e.Delete, "c-3")
		appendTo(t, e, "last", 1)
		if round%3 == 0 { // The index is not written yet at other times.
			if err := e.WriteIndex(); err != nil {
				t.Fatal(err)
			}
		}
		links := linkTexts(streamOf(t, e, "$ce-c"))
		all := collect(t, e.ReadAll(t.Context(), eventstore.Start))
		var crashed *vfs.MemFS
		var one sync.Once
		at := uint64(rng.IntN(1800))
		if _, err := e.Scavenge(t.Context(), func(removed uint64) {
			if removed >= at {
				one.Do(func() {
					if round%2 == 0 { // It makes durable what was removed before.
						all = append(all, collect(t, e.ReadAll(t.Context(), appendTo(t, e, "more", 1).Position))...)
					}
					crashed = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
				})
			}
		}); err != nil {
			t.Fatal(err)
		}
		if crashed == nil {
			crashed = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		after := open(t, "node", node.Options{FS: crashed})
		if _, err := after.Verify(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		left := map[uuid.UUID]bool{}
		for _, r := range collect(t, after.ReadAll(t.Context(), eventstore.Start)) {
			left[r.ID] = true
		}
		for _, r := range all {
			spare := r.Revision != math.MaxInt64 && (r.Stream == "c-1" || r.Stream == "c-3" && r.Revision < 819)
			if !left[r.ID] && !spare {
				t.Fatalf("%d@%s is gone after a crash", r.Revision, r.Stream)
			}
		}
		if n := len(all) - len(left); n > 0 && n < 1500 {
			partly++
		}
		scavenge(t, after)
		kept := slices.DeleteFunc(slices.Clone(links), func(link string) bool {
			return strings.Contains(link, "@c-1") && !strings.Contains(link, strconv.Itoa(math.MaxInt64)) || strings.Contains(link, "@c-3")
		})
		got := slices.DeleteFunc(linkTexts(streamOf(t, after, "$ce-c")), func(link string) bool { return strings.Contains(link, "@c-3") })
		if diff := cmp.Diff(kept, got); diff != "" {
			t.Fatalf("$ce-c (-before +after):\n%s", diff)
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d power losses left a scavenge half done", partly, rounds)
}

func TestAFailedWriteOfAScavengeStopsTheEngine(t *testing.T) {
	t.Parallel()
	disk := disturb(vfs.NewMem())
	stopped := make(chan error, 1)
	e, err := node.Open("node", node.Options{FS: disk, Fatal: func(err error) { stopped <- err }}.WritingEntriesAt(fewEntries))
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, e, "s", 4)
	doTo(t, e.Delete, "s")
	appendTo(t, e, "last", 1)
	disk.failing.Store(true)
	if _, err := e.Scavenge(t.Context(), nil); err == nil {
		t.Error("a scavenge whose sync failed answered no error")
	}
	if err := <-stopped; !strings.Contains(err.Error(), errDisk.Error()) {
		t.Errorf("stopped with %v", err)
	}
	closedAnswers(t, e)
	disk.failing.Store(false)
	if err := e.Close(); err != nil {
		t.Logf("close after the failure: %v", err)
	}
}

func TestABackupOfAScavengedLogIsWhole(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	e := open(t, "node", node.Options{FS: fs})
	fill(t, e, 4, 30)
	scavenge(t, e)
	want := logTexts(t, e)
	info, err := e.Backup(t.Context(), "backup")
	if err != nil || int(info.Count) != len(want) {
		t.Fatalf("backup answered %+v, %v; the log has %d events", info, err, len(want))
	}
	if _, err := node.Restore(t.Context(), "backup", "restored", node.Options{FS: fs}); err != nil {
		t.Fatal(err)
	}
	restored := open(t, "restored", node.Options{FS: fs})
	if diff := cmp.Diff(want, logTexts(t, restored)); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	if seen, err := restored.Verify(t.Context(), nil); err != nil || seen.Scavenged != 60 {
		t.Errorf("verify answered %+v, %v", seen, err)
	}
}
