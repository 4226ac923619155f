package node

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

func FuzzRunsAreReadBack(f *testing.F) {
	f.Add(uint64(0), appendRun(nil, []entry{{0, 1}, {1, 2}, {2, 300}}))
	f.Add(uint64(tombstoneRevision), appendRun(nil, []entry{{tombstoneRevision, 7}}))
	f.Add(uint64(tombstoneRevision-1), appendRun(nil, []entry{{1, 7}, {2, 8}}))
	f.Add(uint64(5), []byte{0, 0, 0, 0, 0, 0, 0, 1, 0x80})
	f.Fuzz(func(t *testing.T, first uint64, value []byte) {
		first &= maxNumber
		run, err := appendRunEntries(nil, first, value)
		if err != nil {
			return
		}
		for i, at := range run {
			if at.ordinal != first+uint64(i) || at.ordinal > tombstoneRevision || i > 0 && at.pos <= run[i-1].pos {
				t.Fatalf("entry %d of a run from revision %d is %+v", i, first, at)
			}
		}
		again, err := appendRunEntries(nil, first, appendRun(nil, run))
		if err != nil || !slices.Equal(again, run) {
			t.Fatalf("%v was read back as %v, %v", run, again, err)
		}
	})
}

// quiet opens an engine on a file system, which writes no entries by itself.
func quiet(t *testing.T, fs vfs.FS) *Engine {
	t.Helper()
	e, err := Open("node", Options{FS: fs, Fatal: func(err error) { t.Errorf("the engine stopped: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// fill appends events one by one to a few streams at random, and answers how
// many each has.
func fill(t *testing.T, e *Engine, rng *rand.Rand, events int, counts map[string]uint64) {
	t.Helper()
	for range events {
		stream := "s-" + string(rune('a'+rng.IntN(4)*rng.IntN(2)))
		event := eventstore.NewEvent{ID: uuid.New(), Type: "t", Data: []byte("{}")}
		if _, err := e.AppendExpecting(t.Context(), stream, Any(), []eventstore.NewEvent{event}); err != nil {
			t.Fatal(err)
		}
		counts[stream]++
	}
}

// sound checks what readable does, and that the log agrees with its streams,
// which writes all entries.
func sound(t *testing.T, e *Engine, rng *rand.Rand, counts map[string]uint64) {
	t.Helper()
	readable(t, e, rng, counts)
	if _, err := e.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

// readable checks that every stream is read from anywhere, both ways.
func readable(t *testing.T, e *Engine, rng *rand.Rand, counts map[string]uint64) {
	t.Helper()
	for stream, n := range counts {
		for range 20 {
			from, limit := rng.Uint64N(n+2), 1+rng.Uint64N(300)
			read := func(d Direction) (got []uint64) {
				for r, err := range e.Stream(t.Context(), stream, d, from, limit) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, r.Revision)
				}
				return got
			}
			var want []uint64
			for r := from; r < n && uint64(len(want)) < limit; r++ {
				want = append(want, r)
			}
			if got := read(Forwards); !slices.Equal(got, want) {
				t.Fatalf("%d of %q from %d on: %v", limit, stream, from, got)
			}
			want = want[:0]
			for r := min(from, n-1); uint64(len(want)) < limit; r-- {
				if want = append(want, r); r == 0 {
					break
				}
			}
			if got := read(Backwards); !slices.Equal(got, want) {
				t.Fatalf("%d of %q from %d backwards: %v", limit, stream, from, got)
			}
		}
		if last, err := e.LastRevision(t.Context(), stream); err != nil || last != n-1 {
			t.Fatalf("%q ends at %d, %v; want %d", stream, last, err, n-1)
		}
	}
}

func TestAStreamIsReadFromRunsAndMemory(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 5))
	fs, counts := vfs.NewMem(), map[string]uint64{}
	e := quiet(t, fs)
	for range 3 {
		fill(t, e, rng, 1500, counts) // more than one run for a stream
		sound(t, e, rng, counts)      // which writes them
		fill(t, e, rng, 500, counts)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = quiet(t, fs)
		readable(t, e, rng, counts)
	}
}

// TestAStreamIsReadWhileItsEntriesAreWritten has entries in both generations,
// and in runs that are written already but not dropped from memory.
func TestAStreamIsReadWhileItsEntriesAreWritten(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 5))
	counts := map[string]uint64{}
	e := quiet(t, vfs.NewMem())
	fill(t, e, rng, 700, counts)
	before, err := e.look()
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	seen := counts["s-a"]
	e.entries.mu.Lock()
	e.entries.old, e.entries.young = e.entries.young, newGeneration()
	e.entries.mu.Unlock()
	fill(t, e, rng, 300, counts)
	if err := e.entries.writeRuns(e.entries.old); err != nil {
		t.Fatal(err)
	}
	readable(t, e, rng, counts)
	e.entries.mu.Lock()
	e.entries.old = newGeneration()
	e.entries.mu.Unlock()
	readable(t, e, rng, counts)
	if head, _, err := before.lastEntry("s-a", maxNumber); err != nil || head != int64(seen)-1 {
		t.Fatalf("an earlier look sees the stream end at %d, %v; want %d", head, err, seen-1)
	}
	sound(t, e, rng, counts)
}

// TestAWriteOfEntriesCutShortIsMadeAgain loses what should tell that entries are
// written, and some of them, as a crash between two batches does.
func TestAWriteOfEntriesCutShortIsMadeAgain(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	fs, counts := vfs.NewMem(), map[string]uint64{}
	e := quiet(t, fs)
	fill(t, e, rng, 300, counts)
	if err := e.WriteEntries(); err != nil {
		t.Fatal(err)
	}
	fill(t, e, rng, 900, counts)
	b := e.db.NewBatch()
	for _, stream := range []string{"s-a", "s-b"} {
		list := e.entries.young.of(stream)
		n := min(len(list), 100)
		if err := b.Set(appendStreamKey(nil, stream, list[0].ordinal), appendRun(nil, list[:n]), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(b.Commit(pebble.Sync), b.Close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	e = quiet(t, fs)
	fill(t, e, rng, 100, counts)
	readable(t, e, rng, counts)
	sound(t, e, rng, counts)
	sound(t, e, rng, counts)
}

// asFormat3 closes an engine and leaves its folder as the programs up to format 3
// wrote it: one entry for each event, in its batch.
func asFormat3(t *testing.T, e *Engine) {
	t.Helper()
	b := e.db.NewBatch()
	for r, err := range e.ReadAll(t.Context(), eventstore.Start) {
		if err == nil {
			err = b.Set(appendStreamKey(nil, r.Stream, r.Revision), positionValue(r.Position.Commit), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	v := versionFile{Format: 3, LogID: e.LogID()}
	text := fmt.Appendf(nil, `{"format":3,"log_id":%q,"sum":%d}`, v.LogID, v.sum())
	if err := errors.Join(b.Delete([]byte{writtenKey}, nil), b.Commit(pebble.Sync), e.folder.replace(e.folder.versionPath(), text), e.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderOfFormat3IsTakenUp(t *testing.T) {
	t.Parallel()
	for name, events := range map[string]int{"with events": 900, "with few events": 2, "without events": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(6, 7))
			fs, counts := vfs.NewMem(), map[string]uint64{}
			e := quiet(t, fs)
			fill(t, e, rng, events, counts)
			asFormat3(t, e)
			for range 2 {
				e = quiet(t, fs)
				if n := e.entries.young.size; n > 300 {
					t.Fatalf("%d entries were made again", n)
				}
				readable(t, e, rng, counts)
				fill(t, e, rng, 300, counts)
				sound(t, e, rng, counts)
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
			}
			e = quiet(t, fs)
			if _, err := e.AppendExpecting(t.Context(), "$$s-a", Any(), []eventstore.NewEvent{{ID: uuid.New(), Type: "$metadata", Data: []byte(`{"$maxCount":5}`)}}); err != nil {
				t.Fatal(err)
			}
			out, err := e.Scavenge(t.Context(), nil)
			if err != nil || out.Events != counts["s-a"]-5 {
				t.Fatalf("%d of %d events were scavenged, %v", out.Events, counts["s-a"], err)
			}
			if _, err := e.Verify(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		})
	}
}
