package node_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// machine drives an engine and the model with the same calls.
type machine struct {
	fs     *vfs.MemFS
	rng    *rand.Rand
	e      *node.Engine
	m      model
	nextID uint64
}

func (s *machine) open(t *rapid.T) {
	o := node.Options{
		FS:    s.fs,
		Clock: func() time.Time { return time.Unix(1_700_000_000, 0).Add(s.m.now) },
		Fatal: func(err error) { t.Errorf("stopped: %v", err) },
	}
	e, err := node.Open("node", o.WritingEntriesAt(3))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	s.e = e
}

func (s *machine) stream(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "a-1", "a\x00", "b"}).Draw(t, "stream")
}

// anyStream is a stream or its metastream.
func (s *machine) anyStream(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "$$"}).Draw(t, "of") + s.stream(t)
}

func (s *machine) newID() uuid.UUID {
	s.nextID++
	return uuid.NewSHA1(uuid.Nil, fmt.Append(nil, s.nextID))
}

// ids are new ones, old ones, or some of both.
func (s *machine) ids(t *rapid.T) []uuid.UUID {
	var ids []uuid.UUID
	if n := len(s.m.log); n > 0 && rapid.Bool().Draw(t, "repeat") {
		first := rapid.IntRange(0, n-1).Draw(t, "first")
		stream := s.m.log[first].stream
		for _, e := range s.m.log[first:min(n, first+3)] {
			if e.stream == stream && e.id != uuid.Nil {
				ids = append(ids, e.id)
			}
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "fresh") {
		ids = append(ids, s.newID())
	}
	return ids
}

func (s *machine) expected(t *rapid.T, stream string) (int, node.Expectation) {
	head := s.m.head(stream)
	n := rapid.OneOf(rapid.Just(head), rapid.SampledFrom([]int{-1, -2, -4}), rapid.IntRange(0, head+2)).Draw(t, "expected")
	if n >= 0 {
		return n, node.Revision(uint64(n))
	}
	return n, map[int]node.Expectation{-1: node.NoStream(), -2: node.Any(), -4: node.StreamExists()}[n]
}

// told is an engine's answer in the model's words.
func told(t *rapid.T, out eventstore.Appended, err error) (int, verdict) {
	var w *eventstore.WrongRevisionError
	switch {
	case errors.As(err, &w):
		return int(w.Actual), wrong
	case errors.Is(err, eventstore.ErrStreamDeleted):
		return 0, deleted
	case err != nil:
		t.Fatal(err)
	}
	return int(out.Revision), written
}

func (s *machine) append(t *rapid.T) {
	stream, ids := s.stream(t), s.ids(t)
	expected, how := s.expected(t, stream)
	events := make([]eventstore.NewEvent, len(ids))
	for i, id := range ids {
		events[i] = eventstore.NewEvent{ID: id, Type: "t", Data: id[:3], Binary: i%2 == 0}
	}
	out, err := s.e.AppendExpecting(t.Context(), stream, how, events)
	got, answer := told(t, out, err)
	last, want := s.m.append(stream, expected, ids)
	if answer != want || got != last {
		t.Fatalf("append to %q expecting %d: %s at %d; the model says %s at %d", stream, expected, answer, got, want, last)
	}
	if want == written && len(ids) > 0 && out.Position.Commit != uint64(s.m.streams[stream][last]+1) {
		t.Fatalf("append to %q answered %s, the model has %d", stream, out.Position, s.m.streams[stream][last]+1)
	}
}

func (s *machine) setMetadata(t *rapid.T) {
	stream, id := s.stream(t), s.newID()
	meta := modelMeta{
		TruncateBefore: rapid.OneOf(rapid.IntRange(0, s.m.head(stream)+2), rapid.Just(math.MaxInt64)).Draw(t, "before"),
		MaxCount:       rapid.IntRange(0, 4).Draw(t, "count"),
		MaxAge:         rapid.IntRange(0, 4).Draw(t, "age"),
		Other:          rapid.IntRange(0, 4).Draw(t, "other"),
	}
	text, err := json.Marshal(meta)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.e.AppendExpecting(t.Context(), "$$"+stream, node.Any(), []eventstore.NewEvent{{ID: id, Type: "$metadata", Data: text}})
	_, answer := told(t, out, err)
	if want := s.m.setMetadata(stream, id, meta); answer != want {
		t.Fatalf("setting metadata of %q: %s; the model says %s", stream, answer, want)
	}
}

func (s *machine) delete(t *rapid.T) {
	stream := s.stream(t)
	expected, how := s.expected(t, stream)
	forEver := rapid.IntRange(0, 9).Draw(t, "for ever") == 0
	does := s.e.Delete
	if forEver {
		does = s.e.Tombstone
	}
	out, err := does(t.Context(), stream, how)
	_, answer := told(t, out, err)
	if want := s.m.delete(stream, expected, forEver); answer != want {
		t.Fatalf("deleting %q expecting %d: %s; the model says %s", stream, expected, answer, want)
	}
	if answer == written && out.Position.Commit != uint64(len(s.m.log)) {
		t.Fatalf("deleting %q answered %s, the model has %d", stream, out.Position, len(s.m.log))
	}
}

func (s *machine) readStream(t *rapid.T) {
	stream := s.anyStream(t)
	from := rapid.IntRange(0, len(s.m.streams[stream])+1).Draw(t, "from")
	limit := rapid.IntRange(0, len(s.m.streams[stream])+1).Draw(t, "limit")
	d := node.Direction(rapid.Bool().Draw(t, "backwards"))
	events := s.e.Stream(t.Context(), stream, d, uint64(from), uint64(limit))
	if s.m.isEnded(stream) {
		for _, err := range events {
			if !errors.Is(err, eventstore.ErrStreamDeleted) {
				t.Fatalf("reading the tombstoned %q answered %v", stream, err)
			}
		}
		return
	}
	want := s.m.visible(stream)
	if d == node.Backwards {
		slices.Reverse(want)
	}
	want = slices.DeleteFunc(want, func(place int) bool {
		revision := s.m.log[place].revision
		return d == node.Forwards && revision < from || d == node.Backwards && revision > from
	})
	s.same(t, want[:min(limit, len(want))], events)
}

func (s *machine) readAll(t *rapid.T) {
	from := rapid.IntRange(0, len(s.m.log)+2).Draw(t, "from")
	var want []int
	d := node.Direction(rapid.Bool().Draw(t, "backwards"))
	for place := range s.m.log {
		if !s.m.removed[place] && (place < from-1) == (d == node.Backwards) {
			want = append(want, place)
		}
	}
	if d == node.Backwards {
		slices.Reverse(want)
	}
	position := eventstore.Position{Commit: uint64(from), Prepare: uint64(from)}
	s.same(t, want, s.e.All(t.Context(), d, position, node.NoLimit))
}

// same compares what was read with places in the model's log.
func (s *machine) same(t *rapid.T, want []int, events func(func(eventstore.Recorded, error) bool)) {
	var read, model []string
	for r, err := range events {
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		id := r.ID
		if place := int(r.Position.Commit) - 1; place < len(s.m.log) && s.m.log[place].id == uuid.Nil {
			id = uuid.Nil
		}
		read = append(read, fmt.Sprintf("%d %d@%q %s", r.Position.Commit, r.Revision, r.Stream, id))
	}
	for _, place := range want {
		e := s.m.log[place]
		model = append(model, fmt.Sprintf("%d %d@%q %s", place+1, e.revision, e.stream, e.id))
	}
	if diff := cmp.Diff(model, read); diff != "" {
		t.Fatalf("read (-model +engine):\n%s", diff)
	}
}

func (s *machine) reopen(t *rapid.T) {
	if err := s.e.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	s.m.forgotten = maps.Clone(s.m.removed)
	s.open(t)
}

// crash loses a part of what was not synced.
func (s *machine) crash(t *rapid.T) {
	crashed := s.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: s.rng.IntN(101), RNG: s.rng})
	if err := s.e.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	s.fs, s.m.forgotten = crashed, maps.Clone(s.m.removed)
	s.open(t)
}

func (s *machine) scavenge(t *rapid.T) {
	out, err := s.e.Scavenge(t.Context(), nil)
	before := len(s.m.removed)
	s.m.scavenge()
	if err != nil || int(out.Events) != len(s.m.removed)-before {
		t.Fatalf("scavenge: %+v, %v; the model has removed %d", out, err, len(s.m.removed)-before)
	}
	seen, err := s.e.Verify(t.Context(), nil)
	if err != nil || int(seen.Scavenged) != len(s.m.removed) || int(seen.Events) != len(s.m.log)-len(s.m.removed) {
		t.Fatalf("verify: %+v, %v; the model has %d events and removed %d", seen, err, len(s.m.log), len(s.m.removed))
	}
}

func (s *machine) wait(t *rapid.T) {
	s.m.now += time.Duration(rapid.IntRange(1, 3000).Draw(t, "milliseconds")) * time.Millisecond
}

// check looks at what holds at all times.
func (s *machine) check(t *rapid.T) {
	head, err := s.e.Head(t.Context())
	if err != nil || head.Commit != uint64(len(s.m.log)) {
		t.Fatalf("head is %s, %v; want %d", head, err, len(s.m.log))
	}
	stream := s.stream(t)
	want := s.m.head(stream)
	if s.m.ended[stream] {
		want = math.MaxInt64
	}
	if last, err := s.e.LastRevision(t.Context(), stream); err != nil || int(last) != want {
		t.Fatalf("stream %q ends at %d, %v; want %d", stream, int64(last), err, want)
	}
	if s.m.ended[stream] {
		return
	}
	m, revision, err := s.e.Metadata(t.Context(), stream)
	got := modelMeta{TruncateBefore: int(m.TruncateBefore), MaxCount: int(m.MaxCount), MaxAge: int(m.MaxAge / time.Second)}
	meta := s.m.meta[stream]
	meta.Other = 0
	if err != nil || got != meta || int(revision) != s.m.head("$$"+stream) {
		t.Fatalf("metadata of %q are %+v at %d, %v; want %+v at %d", stream, got, int64(revision), err, meta, s.m.head("$$"+stream))
	}
}

func TestEngineDoesWhatTheModelDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &machine{fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), m: model{streams: map[string][]int{}, ended: map[string]bool{}, meta: map[string]modelMeta{}}}
		s.open(t)
		defer func() {
			if err := s.e.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}()
		t.Repeat(map[string]func(*rapid.T){
			"append": s.append, "append more": s.append, "delete": s.delete, "metadata": s.setMetadata, "wait": s.wait,
			"stream": s.readStream, "stream again": s.readStream, "log": s.readAll, "reopen": s.reopen, "crash": s.crash, "scavenge": s.scavenge, "": s.check,
		})
	})
}
