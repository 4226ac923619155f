package node_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// folded is what the log gives, every derived stream made as simply as can be.
type folded map[string][]string

func (f folded) put(stream, kind, data string, r eventstore.Recorded) {
	revision := uint64(len(f[stream]))
	f[stream] = append(f[stream], linkText(stream, revision, kind, data, r.Position, r.RecordedAt))
}

func (f folded) add(r eventstore.Recorded) {
	plain := fmt.Sprintf("%d@%s", r.Revision, r.Stream)
	of, kind := r.Stream, r.Type
	if meta, isMeta := strings.CutPrefix(r.Stream, "$$"); isMeta && r.Type == "$metadata" && strings.Contains(string(r.Data), `{"$tb":9223372036854775807}`) {
		of, kind = meta, "$deleted"
	}
	if category, _, found := strings.Cut(of, "-"); found && category != "" {
		data := plain
		if r.Type == "$>" {
			data = string(r.Data)
		}
		f.put("$ce-"+category, "$>", data, r)
	}
	if kind != "$>" {
		f.put("$et-"+kind, "$>", plain, r)
	}
	if r.Revision == 0 {
		f.put("$streams", "$>", "0@"+r.Stream, r)
		if category, _, found := strings.Cut(r.Stream, "-"); found && category != "" {
			f.put("$category-"+category, "$@", r.Stream, r)
		}
	}
}

func linkText(stream string, revision uint64, kind, data string, at eventstore.Position, when time.Time) string {
	return fmt.Sprintf("%d %s %s %q %s %s", revision, stream, kind, data, at, when.Format(time.RFC3339Nano))
}

func linkTexts(list []eventstore.Recorded) []string {
	text := make([]string, len(list))
	for i, r := range list {
		text[i] = linkText(r.Stream, r.Revision, r.Type, string(r.Data), r.Position, r.RecordedAt)
	}
	return text
}

// derivedAgrees compares every derived stream with the fold of the log.
func derivedAgrees(t *testing.T, e *node.Engine) folded {
	t.Helper()
	want := folded{}
	for _, r := range collect(t, e.ReadAll(t.Context(), eventstore.Start)) {
		want.add(r)
	}
	for stream, links := range want {
		if diff := cmp.Diff(links, linkTexts(streamOf(t, e, stream))); diff != "" {
			t.Fatalf("%s (-fold +engine):\n%s", stream, diff)
		}
		if last, err := e.LastRevision(t.Context(), stream); err != nil || last != uint64(len(links)-1) {
			t.Fatalf("%s ends at %d, %v; want %d", stream, last, err, len(links)-1)
		}
	}
	return want
}

// derivedMachine appends, reads, and opens again after a close or a crash.
type derivedMachine struct {
	fs    *vfs.MemFS
	e     *node.Engine
	rng   *rand.Rand
	log   folded              // what the log gives
	known map[string][]string // links seen once must stay
	n     uint64
}

func (s *derivedMachine) open(t *rapid.T) {
	e, err := node.Open("node", node.Options{FS: s.fs, Fatal: func(err error) { t.Errorf("stopped: %v", err) }}.WritingEntriesAt(fewEntries))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	s.e = e
}

func (s *derivedMachine) append(t *rapid.T) {
	stream := rapid.SampledFrom([]string{"a-1", "a-2", "a\x00-1", "a\x00\xff-1", "-x", "plain", "$sys-1", "$$a-1", "$$plain", "b-1-2"}).Draw(t, "stream")
	kind := rapid.SampledFrom([]string{"t", "u", "", "$>", "$metadata", "t\x00"}).Draw(t, "type")
	data := rapid.SampledFrom([]string{`{}`, `{"$tb":9223372036854775807}`, `0@a-1`, `{"n":"9223372036854775807"}`}).Draw(t, "data")
	list := make([]eventstore.NewEvent, rapid.SampledFrom([]int{1, 2, 30, 120}).Draw(t, "count"))
	for i := range list {
		s.n++
		list[i] = eventstore.NewEvent{ID: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, s.n)), Type: kind, Data: []byte(data)}
	}
	out, err := s.e.AppendExpecting(t.Context(), stream, node.Any(), list)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	first := out.Position.Commit - uint64(len(list)) + 1
	for r, err := range s.e.ReadAll(t.Context(), eventstore.Position{Commit: first, Prepare: first}) {
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		s.log.add(r)
	}
}

// write writes the index early, so that blocks are small and many.
func (s *derivedMachine) write(t *rapid.T) {
	if err := s.e.WriteIndex(); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func (s *derivedMachine) read(t *rapid.T, stream string, d node.Direction, from, limit uint64) []string {
	var list []eventstore.Recorded
	for r, err := range s.e.Stream(t.Context(), stream, d, from, limit) {
		if err != nil {
			t.Fatalf("read %q: %v", stream, err)
		}
		list = append(list, r)
	}
	return linkTexts(list)
}

// part reads a part of one derived stream.
func (s *derivedMachine) part(t *rapid.T) {
	stream := rapid.SampledFrom([]string{
		"$ce-a", "$ce-a\x00", "$ce-a\x00\xff", "$ce-$sys", "$ce-b", "$ce-", "$ce-none", "$et-t", "$et-u", "$et-", "$et-t\x00",
		"$et-$deleted", "$et-$metadata", "$et-$>", "$streams", "$category-a", "$ce-$$a",
	}).Draw(t, "derived")
	links := s.log[stream]
	from := rapid.IntRange(0, len(links)+1).Draw(t, "from")
	limit := rapid.SampledFrom([]int{0, 1, 7, 255, 256, 257, 5000}).Draw(t, "limit")
	part := links[min(from, len(links)):]
	d := node.Direction(rapid.Bool().Draw(t, "backwards"))
	if d == node.Backwards {
		part = slices.Clone(links[:min(from+1, len(links))])
		slices.Reverse(part)
	}
	part = part[:min(limit, len(part))]
	if got := s.read(t, stream, d, uint64(from), uint64(limit)); !slices.Equal(got, part) {
		t.Fatalf("%q from %d, %d of %d, backwards %t (-fold +engine):\n%s", stream, from, limit, len(links), d, cmp.Diff(part, got))
	}
	last, err := s.e.LastRevision(t.Context(), stream)
	if err != nil || int(last) != len(links)-1 {
		t.Fatalf("%q ends at %d, %v; want %d", stream, int64(last), err, len(links)-1)
	}
	s.known[stream] = links
}

func (s *derivedMachine) reopen(t *rapid.T) {
	if err := s.e.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	s.open(t)
	s.stable(t)
}

// crash loses a part of what was not synced.
func (s *derivedMachine) crash(t *rapid.T) {
	crashed := s.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: s.rng.IntN(101), RNG: s.rng})
	if err := s.e.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	s.fs = crashed
	s.open(t)
	s.stable(t)
}

// stable checks that links seen before are where they were.
func (s *derivedMachine) stable(t *rapid.T) {
	for stream, links := range s.known {
		if got := s.read(t, stream, node.Forwards, 0, uint64(len(links))); !slices.Equal(got, links) {
			t.Fatalf("%q has changed (-before +after):\n%s", stream, cmp.Diff(links, got))
		}
	}
}

func TestDerivedStreamsAreTheFoldOfTheLog(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &derivedMachine{
			fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), log: folded{}, known: map[string][]string{},
		}
		s.open(t)
		defer func() {
			if err := s.e.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}()
		t.Repeat(map[string]func(*rapid.T){
			"append": s.append, "append more": s.append, "part": s.part, "another part": s.part, "write": s.write, "reopen": s.reopen, "crash": s.crash,
		})
	})
}

func TestDerivedStreamsReachOverManyBlocks(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	d := newDisk(t)
	e := d.open(t)
	for i := range 20_000 / 500 {
		list := newEvents(500)
		for j := range list {
			list[j].Type = fmt.Sprintf("type-%d", (i*500+j)%1500) // each a few times in every block
		}
		if _, err := e.AppendExpecting(t.Context(), fmt.Sprintf("c%d-%d", i%3, i), node.NoStream(), list); err != nil {
			t.Fatal(err)
		}
	}
	before := derivedAgrees(t, e)
	e = d.reopen(t, e)
	if diff := cmp.Diff(before, derivedAgrees(t, e)); diff != "" {
		t.Error(diff)
	}
	back := linkTexts(collect(t, e.Stream(t.Context(), "$ce-c1", node.Backwards, math.MaxUint64, node.NoLimit)))
	slices.Reverse(back)
	if diff := cmp.Diff(before["$ce-c1"], back); diff != "" {
		t.Errorf("backwards:\n%s", diff)
	}
}

// TestDerivedStreamsHaveNoGapUnderAppends follows a category while writers
// append, as a subscription does, and sees each event once, in order.
func TestDerivedStreamsHaveNoGapUnderAppends(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	const writers, each = 4, 3000
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for i := range each {
				stream := fmt.Sprintf("s-%d", w)
				if i%3 == 0 {
					stream = fmt.Sprintf("other-%d", w)
				}
				if _, err := e.AppendExpecting(t.Context(), stream, node.Any(), newEvents(1+i%2)); err != nil {
					t.Errorf("append: %v", err)
					return
				}
			}
		})
	}
	var followers sync.WaitGroup
	for _, stream := range []string{"$ce-s", "$et-thing.done.v1", "$streams"} {
		followers.Go(func() { followDerived(t, e, stream) })
	}
	work.Wait()
	if _, err := e.AppendExpecting(t.Context(), "s-end", node.NoStream(), newEvents(1)); err != nil {
		t.Error(err)
	}
	followers.Wait()
	derivedAgrees(t, e)
}

// followDerived ends with the link to 0@s-end.
func followDerived(t *testing.T, e *node.Engine, stream string) {
	t.Helper()
	last := eventstore.Start
	for next := uint64(0); ; {
		head, err := e.Head(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		for r, err := range e.Stream(t.Context(), stream, node.Forwards, next, node.NoLimit) {
			if err != nil || r.Revision != next || !last.Before(r.Position) {
				t.Errorf("%s: %d at %s follows %d at %s, %v", stream, r.Revision, r.Position, next, last, err)
				return
			}
			next, last = next+1, r.Position
			if string(r.Data) == "0@s-end" {
				return
			}
		}
		if last.Before(head) && stream == "$et-thing.done.v1" {
			t.Errorf("%s ends at %s, but %s was durable", stream, last, head)
			return
		}
		if _, err := e.WaitHead(t.Context(), head); err != nil {
			t.Error(err)
			return
		}
	}
}

func TestDerivedStreamsTakeNoEvents(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	for _, stream := range []string{"$ce-a", "$et-t", "$streams", "$category-a", "$ce-"} {
		if _, err := e.AppendExpecting(t.Context(), stream, node.Any(), newEvents(1)); !errors.Is(err, node.ErrDerivedStream) {
			t.Errorf("append to %s answered %v", stream, err)
		}
		if last, err := e.LastRevision(t.Context(), stream); err != nil || last != eventstore.NoRevision {
			t.Errorf("%s ends at %d, %v", stream, int64(last), err)
		}
	}
	appendTo(t, e, "$$$ce-a", 1) // its metadata are another stream
}

// TestManyTypesStayCheap gives every event a type of its own.
func TestManyTypesStayCheap(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	const events = 30_000
	for i := range events / 1000 {
		list := newEvents(1000)
		for j := range list {
			list[j].Type = fmt.Sprintf("t%d", i*1000+j)
		}
		if _, err := e.AppendExpecting(t.Context(), "s", node.Any(), list); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < events; i += 977 {
		links := collect(t, e.Stream(t.Context(), fmt.Sprintf("$et-t%d", i), node.Forwards, 0, node.NoLimit))
		if len(links) != 1 || string(links[0].Data) != fmt.Sprintf("%d@s", i) {
			t.Fatalf("type %d has %d links", i, len(links))
		}
	}
}
