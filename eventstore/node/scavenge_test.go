package node_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// scavenge scavenges, and checks that the log is sound afterwards.
func scavenge(t *testing.T, e *node.Engine) node.Scavenged {
	t.Helper()
	out, err := e.Scavenge(t.Context(), nil)
	if err != nil {
		t.Fatalf("scavenge: %v", err)
	}
	if _, err := e.Verify(t.Context(), nil); err != nil {
		t.Fatalf("after a scavenge: %v", err)
	}
	return out
}

// logTexts are the events of the log, as revision@stream.
func logTexts(t *testing.T, e *node.Engine) []string {
	t.Helper()
	var list []string
	for _, r := range collect(t, e.ReadAll(t.Context(), eventstore.Start)) {
		if r.Revision == math.MaxInt64 {
			list = append(list, "tombstone@"+r.Stream)
			continue
		}
		list = append(list, fmt.Sprintf("%d@%s", r.Revision, r.Stream))
	}
	return list
}

func doTo(t *testing.T, how func(context.Context, string, node.Expectation) (eventstore.Appended, error), stream string) {
	t.Helper()
	if _, err := how(t.Context(), stream, node.Any()); err != nil {
		t.Fatal(err)
	}
}

func TestAScavengeKeepsWhatCanBeRead(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		given func(t *testing.T, e *node.Engine, now *time.Time) // of a stream s with revisions 0 to 4
		keeps []string
	}{
		"a stream without metadata": {
			func(*testing.T, *node.Engine, *time.Time) {},
			[]string{"0@s", "1@s", "2@s", "3@s", "4@s"},
		},
		"$tb": {
			func(t *testing.T, e *node.Engine, _ *time.Time) { t.Helper(); setMetadata(t, e, `{"$tb":3}`) },
			[]string{"3@s", "4@s", "0@$$s"},
		},
		"$maxCount, and older metadata": {
			func(t *testing.T, e *node.Engine, _ *time.Time) {
				t.Helper()
				setMetadata(t, e, `{"$maxCount":3}`)
				setMetadata(t, e, `{"$maxCount":2}`)
			},
			[]string{"3@s", "4@s", "1@$$s"},
		},
		"$maxAge": {
			func(t *testing.T, e *node.Engine, now *time.Time) {
				t.Helper()
				setMetadata(t, e, `{"$maxAge":10}`)
				*now = now.Add(9 * time.Second)
				appendTo(t, e, "s", 1)
				*now = now.Add(9 * time.Second)
			},
			[]string{"0@$$s", "5@s"},
		},
		"the last event of a stream that shows none": {
			func(t *testing.T, e *node.Engine, _ *time.Time) { t.Helper(); setMetadata(t, e, `{"$tb":9}`) },
			[]string{"4@s", "0@$$s"},
		},
		"the last event of a soft-deleted stream": {
			func(t *testing.T, e *node.Engine, _ *time.Time) { t.Helper(); doTo(t, e.Delete, "s") },
			[]string{"4@s", "0@$$s"},
		},
		"a stream brought back": {
			func(t *testing.T, e *node.Engine, _ *time.Time) {
				t.Helper()
				doTo(t, e.Delete, "s")
				appendTo(t, e, "s", 2)
			},
			[]string{"5@s", "6@s", "1@$$s"},
		},
		"a tombstone": {
			func(t *testing.T, e *node.Engine, _ *time.Time) {
				t.Helper()
				setMetadata(t, e, `{"$tb":1}`)
				doTo(t, e.Tombstone, "s")
			},
			[]string{"tombstone@s"},
		},
		"metadata without a stream": {
			func(t *testing.T, e *node.Engine, _ *time.Time) {
				t.Helper()
				for range 2 {
					if _, err := e.AppendExpecting(t.Context(), "$$t", node.Any(), []eventstore.NewEvent{{ID: uuid.New(), Type: "$metadata", Data: []byte(`{"$tb":1}`)}}); err != nil {
						t.Fatal(err)
					}
				}
			},
			[]string{"0@s", "1@s", "2@s", "3@s", "4@s", "1@$$t"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
			o := node.Options{FS: vfs.NewMem(), Clock: func() time.Time { return now }}
			e := open(t, "node", o)
			appendTo(t, e, "s", 5)
			c.given(t, e, &now)
			appendTo(t, e, "last", 1)
			before := logTexts(t, e)
			out := scavenge(t, e)
			want := append(slices.Clone(c.keeps), "0@last")
			if diff := cmp.Diff(want, logTexts(t, e)); diff != "" {
				t.Fatalf("the log (-want +got):\n%s", diff)
			}
			if int(out.Events) != len(before)-len(want) {
				t.Errorf("answered %+v, of %d events %d are left", out, len(before), len(want))
			}
			if again := scavenge(t, e); again.Events != 0 {
				t.Errorf("another scavenge removed %d events", again.Events)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			after := open(t, "node", o)
			if diff := cmp.Diff(want, logTexts(t, after)); diff != "" {
				t.Errorf("the log, opened again (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAScavengeLeavesTheLastEventOfTheLog(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	e := d.open(t)
	setMetadata(t, e, `{"$tb":9}`)
	appendTo(t, e, "s", 3)
	doTo(t, e.Delete, "s")
	setMetadata(t, e, `{"$tb":2}`)
	head, err := e.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	scavenge(t, e)
	e = d.reopen(t, e)
	if after, err := e.Head(t.Context()); err != nil || after != head {
		t.Errorf("the head is %s, %v; it was %s", after, err, head)
	}
	if out := appendTo(t, e, "s", 1); out.Revision != 3 || out.Position.Commit != head.Commit+1 {
		t.Errorf("the next append answered %+v", out)
	}
}

func TestWhatWasScavengedStaysAwayWhateverMetadataSayLater(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	appendTo(t, e, "s", 6)
	setMetadata(t, e, `{"$tb":4}`)
	scavenge(t, e)
	setMetadata(t, e, `{}`)
	if got := revisionsOf(streamOf(t, e, "s")); !slices.Equal(got, []uint64{4, 5}) {
		t.Errorf("the stream reads %v", got)
	}
	if got := revisionsOf(collect(t, e.Stream(t.Context(), "s", node.Backwards, 3, node.NoLimit))); len(got) != 0 {
		t.Errorf("backwards from 3 reads %v", got)
	}
}

func TestARepeatIsKnownAfterAScavenge(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	list := newEvents(1)
	first, err := e.AppendExpecting(t.Context(), "s", node.Any(), list)
	if err != nil {
		t.Fatal(err)
	}
	setMetadata(t, e, `{"$maxCount":1}`)
	appendTo(t, e, "s", 1)
	appendTo(t, e, "other", 1)
	scavenge(t, e)
	if again, err := e.AppendExpecting(t.Context(), "s", node.Any(), list); err != nil || again != first {
		t.Errorf("the repeat answered %+v, %v; want %+v", again, err, first)
	}
	if got := revisionsOf(streamOf(t, e, "s")); !slices.Equal(got, []uint64{1}) {
		t.Errorf("the stream reads %v", got)
	}
}

func TestLinksToWhatWasScavengedAreGone(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	e := d.open(t)
	for _, stream := range []string{"c-1", "c-2", "c-3"} {
		appendTo(t, e, stream, 3)
	}
	doTo(t, e.Tombstone, "c-1")
	if _, err := e.AppendExpecting(t.Context(), "$$c-2", node.Any(), []eventstore.NewEvent{{ID: uuid.New(), Type: "$metadata", Data: []byte(`{"$tb":2}`)}}); err != nil {
		t.Fatal(err)
	}
	appendTo(t, e, "c-3", 1)
	read := func(stream string) []string {
		var list []string
		for _, r := range streamOf(t, e, stream) {
			list = append(list, fmt.Sprintf("%d: %s", r.Revision, r.Data))
		}
		return list
	}
	streams, names := read("$streams"), read("$category-c")
	scavenge(t, e)
	for range 2 {
		want := []string{"5: 2@c-2", "6: 0@c-3", "7: 1@c-3", "8: 2@c-3", fmt.Sprintf("9: %d@c-1", math.MaxInt64), "10: 3@c-3"}
		if diff := cmp.Diff(want, read("$ce-c")); diff != "" {
			t.Errorf("$ce-c (-want +got):\n%s", diff)
		}
		back := revisionsOf(collect(t, e.Stream(t.Context(), "$ce-c", node.Backwards, node.NoLimit, node.NoLimit)))
		if !slices.Equal(back, []uint64{10, 9, 8, 7, 6, 5}) {
			t.Errorf("$ce-c backwards reads %v", back)
		}
		if diff := cmp.Diff(streams, read("$streams")); diff != "" {
			t.Errorf("$streams (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(names, read("$category-c")); diff != "" {
			t.Errorf("$category-c (-before +after):\n%s", diff)
		}
		e = d.reopen(t, e)
	}
}

func TestAReadThatAScavengeOvertakesSeesWhatItSaw(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	appendTo(t, e, "s", 4)
	setMetadata(t, e, `{"$tb":2}`)
	read := e.Stream(t.Context(), "s", node.Forwards, 0, node.NoLimit)
	meta := e.Stream(t.Context(), "$$s", node.Forwards, 0, node.NoLimit)
	setMetadata(t, e, `{"$tb":3}`)
	appendTo(t, e, "last", 1)
	scavenge(t, e)
	if got := revisionsOf(collect(t, read)); !slices.Equal(got, []uint64{3}) {
		t.Errorf("the stream reads %v", got)
	}
	if got := revisionsOf(collect(t, meta)); !slices.Equal(got, []uint64{1}) {
		t.Errorf("its metadata read %v", got)
	}
}

func TestAScavengeSparesWhatNewMetadataShow(t *testing.T) {
	t.Parallel()
	disk := disturb(vfs.NewMem())
	e := open(t, "node", node.Options{FS: disk})
	for range 3 {
		appendTo(t, e, "many", 500)
	}
	doTo(t, e.Delete, "many")
	appendTo(t, e, "s", 4)
	setMetadata(t, e, `{"$tb":3}`)
	appendTo(t, e, "last", 1)
	var later sync.WaitGroup
	out, err := e.Scavenge(t.Context(), func(removed uint64) {
		if removed != 1024 {
			return // It goes on with many, and then with s.
		}
		disk.held.Lock()
		ticket, err := e.Submit(t.Context(), "$$s", node.Any(), []eventstore.NewEvent{{ID: uuid.New(), Type: "$metadata", Data: []byte(`{"$tb":1}`)}})
		if err != nil {
			t.Error(err)
		}
		<-disk.reached // It is decided, and not durable.
		later.Go(func() {
			disk.held.Unlock()
			if _, err := ticket.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
	later.Wait()
	if err != nil || out.Events != 1499+1 {
		t.Errorf("answered %+v, %v", out, err)
	}
	if got := revisionsOf(streamOf(t, e, "s")); !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Errorf("the stream reads %v", got)
	}
}

func TestOneScavengeAtATimeWhichCanBeStopped(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	appendTo(t, e, "s", 4)
	doTo(t, e.Delete, "s")
	appendTo(t, e, "last", 1)
	ctx, cancel := context.WithCancel(t.Context())
	var second error
	out, err := e.Scavenge(ctx, func(uint64) {
		_, second = e.Scavenge(ctx, nil)
		cancel()
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(second, node.ErrScavenging) || out.Events != 3 {
		t.Errorf("answered %+v, %v; the second %v", out, err, second)
	}
	if e.StopScavenge(out.ID) {
		t.Error("a scavenge that ended was stopped")
	}
	scavenge(t, e)
	if got := e.Stats(); got.ScavengedEvents != 3 || got.Scavenging {
		t.Errorf("stats are %+v", got)
	}
}

// fill writes large streams, half of which are deleted then.
func fill(t *testing.T, e *node.Engine, streams, events int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range events {
		for s := range streams {
			data := make([]byte, 1000)
			for j := range data {
				data[j] = byte(rng.Uint32())
			}
			list := []eventstore.NewEvent{{ID: uuid.New(), Type: "thing.done.v1", Data: data, Binary: true}}
			if _, err := e.AppendExpecting(t.Context(), fmt.Sprintf("s-%d", s), node.Any(), list); err != nil {
				t.Fatal(i, err)
			}
		}
	}
	for s := 0; s < streams; s += 2 {
		doTo(t, e.Tombstone, fmt.Sprintf("s-%d", s))
	}
}

// closedSize closes an engine, and answers what its folder takes.
func closedSize(t *testing.T, e *node.Engine, fs vfs.FS) (n int) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, content := range imageOf(t, fs, "node") {
		n += len(content)
	}
	return n
}

func TestAScavengeGivesDiskSpaceBack(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	e := d.open(t)
	fill(t, e, 10, 400) // 4 MB
	before := closedSize(t, e, d.fs)
	e = d.open(t)
	out := scavenge(t, e)
	if out.Events != 2000 || out.Streams != 5 || out.BytesBefore < 4_000_000 || out.BytesAfter > out.BytesBefore*55/100 {
		t.Errorf("answered %+v", out)
	}
	if after := closedSize(t, e, d.fs); after > before*60/100 {
		t.Errorf("of %d bytes %d are left", before, after)
	}
	e = d.open(t)
	if n := len(collect(t, e.ReadAll(t.Context(), eventstore.Start))); n != 2005 {
		t.Errorf("%d events are left", n)
	}
	if n := len(streamOf(t, e, "s-1")); n != 400 {
		t.Errorf("a stream that was kept reads %d events", n)
	}
}
