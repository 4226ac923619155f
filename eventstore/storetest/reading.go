package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/eventstore"
)

func everyFieldComesBack(g *given) {
	s := g.stream("1")
	text, bytes := g.event(1), g.event(2)
	bytes.Data, bytes.Binary = []byte{0, 255, 1, 128}, true
	out := g.append(s, eventstore.NoStream(), text, bytes)
	got := g.read(s, 0)
	if len(got) != 2 {
		g.Fatalf("%d events came back", len(got))
	}
	for i, e := range []eventstore.NewEvent{text, bytes} {
		want := eventstore.Recorded{
			ID: e.ID, Stream: s, Revision: uint64(i), Position: got[i].Position,
			Type: e.Type, Data: e.Data, Metadata: e.Metadata, Binary: e.Binary, RecordedAt: got[i].RecordedAt,
		}
		if diff := cmp.Diff(want, got[i]); diff != "" {
			g.Errorf("event %d (-want +got):\n%s", i, diff)
		}
		if at := got[i].RecordedAt; at.IsZero() || at.Location() != time.UTC || at.Nanosecond()%100 != 0 {
			g.Errorf("event %d was recorded at %s", i, at)
		}
	}
	if got[1].Position != out.Position {
		g.Errorf("the append answered %s, the event is at %s", out.Position, got[1].Position)
	}
	if diff := cmp.Diff(got, g.log(got[0].Position)); diff != "" {
		g.Errorf("the log differs from the stream (-stream +log):\n%s", diff)
	}
}

func oddStreamNames(g *given) {
	for _, suffix := range []string{"été & 東京", "a/b?c=d#e", `quote"back\slash`, "%20+", " "} {
		s := g.stream(suffix)
		g.append(s, eventstore.NoStream(), g.event(0))
		if list := g.read(s, 0); len(list) != 1 || list[0].Stream != s {
			g.Errorf("stream %q reads as %v", s, ids(list))
		}
	}
}

func likeNamesAreApart(g *given) {
	names := []string{"1", "10", "1-0", "11"}
	for i, suffix := range names {
		g.append(g.stream(suffix), eventstore.NoStream(), g.events(i+1)...)
	}
	for i, suffix := range names {
		g.numbered(g.read(g.stream(suffix), 0), i+1)
	}
}

func missingStreamIsEmpty(g *given) {
	g.same(nil, g.read(g.stream("missing"), 0))
	g.same(nil, g.read(g.stream("missing"), 7))
}

func streamReadsFromRevision(g *given) {
	s := g.stream("1")
	g.append(s, eventstore.NoStream(), g.events(10)...)
	all := g.read(s, 0)
	g.same(all[4:], g.read(s, 4))
	g.same(all[9:], g.read(s, 9))
	g.same(nil, g.read(s, 10))
	g.same(nil, g.read(s, 1000))
}

func longStreamReads(g *given) {
	const size, chunk = 3000, 500
	s := g.stream("1")
	for n := uint64(0); n < size; n += chunk {
		g.append(s, eventstore.After(n), g.events(chunk)...)
	}
	all := g.read(s, 0)
	g.numbered(all, size)
	g.same(all[1777:], g.read(s, 1777))
}

func readerMayStop(g *given) {
	s := g.stream("1")
	out := g.append(s, eventstore.NoStream(), g.events(600)...)
	for r, err := range g.store.ReadStream(g.ctx, s, 0) {
		if err != nil || r.Revision == 3 {
			break
		}
	}
	for _, err := range g.store.ReadAll(g.ctx, out.Position) {
		if err != nil {
			g.Fatalf("read all: %v", err)
		}
		break
	}
	g.append(s, eventstore.Revision(599), g.event(0))
}

func logIsInOrder(g *given) {
	const writers, each = 8, 20
	start := g.head()
	together(writers, func(i int) {
		for n := range uint64(each) {
			if _, err := g.store.Append(g.ctx, g.stream(string(rune('a'+i))), eventstore.After(n), g.event(i)); err != nil {
				g.Errorf("writer %d: %v", i, err)
			}
		}
	})
	list := g.log(start)
	if len(list) != writers*each {
		g.Fatalf("%d events in the log, want %d", len(list), writers*each)
	}
	next := map[string]uint64{}
	for i, r := range list {
		if i > 0 && !list[i-1].Position.Before(r.Position) {
			g.Fatalf("position %s follows %s", r.Position, list[i-1].Position)
		}
		if r.Revision != next[r.Stream] {
			g.Fatalf("stream %s: revision %d where %d should be", r.Stream, r.Revision, next[r.Stream])
		}
		next[r.Stream]++
	}
}

func logReadsInclusive(g *given) {
	s := g.stream("1")
	first := g.append(s, eventstore.NoStream(), g.event(0))
	second := g.append(s, eventstore.Revision(0), g.event(1))
	all := g.read(s, 0)
	g.same(all, g.log(first.Position))
	g.same(all[1:], g.log(second.Position))
}

func readEndsAtCall(g *given) {
	s := g.stream("1")
	out := g.append(s, eventstore.NoStream(), g.event(0))
	log := g.store.ReadAll(g.ctx, out.Position)
	seen := 0
	for r, err := range log {
		if err != nil {
			g.Fatalf("read all: %v", err)
		}
		if !g.own(r) {
			continue
		}
		seen++
		g.append(s, eventstore.After(uint64(seen)), g.event(seen))
		if seen > 10 {
			g.Fatal("the read does not end while its reader appends")
		}
	}
}

func headCoversAppends(g *given) {
	before := g.head()
	out := g.append(g.stream("1"), eventstore.NoStream(), g.events(2)...)
	after := g.head()
	if after.Before(out.Position) || !before.Before(after) {
		g.Fatalf("head went from %s to %s, the append ended at %s", before, after, out.Position)
	}
}
