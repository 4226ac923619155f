package node

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

func FuzzRecordIsReadBack(f *testing.F) {
	f.Add("s-1", "thing.done.v1", []byte(`{"a":1}`), []byte(`{}`), true, int64(16e15), uint64(3))
	f.Add("", "", []byte(nil), []byte(nil), false, int64(-1), uint64(0))
	f.Fuzz(func(t *testing.T, stream, kind string, data, metadata []byte, isBinary bool, ticks int64, revision uint64) {
		e := eventstore.NewEvent{ID: uuid.NewSHA1(uuid.Nil, data), Type: kind, Data: data, Metadata: metadata, Binary: isBinary}
		b := make([]byte, recordSize(stream, &e))
		putRecord(b, stream, revision, ticks, &e)
		r, err := parseRecord(b)
		if err != nil {
			t.Fatal(err)
		}
		got := r.event(9, string(r.stream), string(r.kind))
		want := eventstore.Recorded{
			ID: e.ID, Stream: stream, Revision: revision, Position: at(9), Type: kind,
			Data: bytes.Clone(data), Metadata: bytes.Clone(metadata), Binary: isBinary, RecordedAt: timeOf(ticks),
		}
		clear(b)
		if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" {
			t.Fatalf("record (-want +got):\n%s", diff)
		}
		if ticksOf(got.RecordedAt) != ticks {
			t.Fatalf("time %d became %d", ticks, ticksOf(got.RecordedAt))
		}
	})
}

func FuzzAnyBytesAsRecord(f *testing.F) {
	e := eventstore.NewEvent{Type: "t", Data: []byte("data"), Metadata: []byte("meta")}
	b := make([]byte, recordSize("s", &e))
	putRecord(b, "s", 1, 2, &e)
	f.Add(b)
	f.Add(b[:fixedSize])
	f.Add(append(bytes.Clone(b[:fixedSize]), bytes.Repeat([]byte{0xFF}, 10)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b)
		if err != nil {
			return
		}
		if n := len(r.stream) + len(r.kind) + len(r.metadata) + len(r.data); n > len(b) {
			t.Fatalf("%d bytes read from %d", n, len(b))
		}
		r.event(1, "", "")
	})
}

func FuzzStreamKeysAreApart(f *testing.F) {
	f.Add("a", uint64(0), "a\x00", uint64(1))
	f.Add("a\x00\xff", uint64(1<<62), "a", uint64(1<<63-1))
	f.Add("", uint64(0), "\x00", uint64(0))
	f.Fuzz(func(t *testing.T, a string, ra uint64, b string, rb uint64) {
		ra, rb = ra&maxNumber, rb&maxNumber
		ka, kb := appendStreamKey(nil, a, ra), appendStreamKey(nil, b, rb)
		stream, revision, ok := splitStreamKey(ka)
		if !ok || stream != a || revision != ra {
			t.Fatalf("key of %d@%q reads as %d@%q, %t", ra, a, revision, stream, ok)
		}
		if a == b {
			if bytes.Compare(ka, kb) != compare(ra, rb) {
				t.Fatalf("revisions %d and %d are not in order", ra, rb)
			}
			return
		}
		if ofStream(kb, appendStreamPrefix(nil, a)) || ofStream(ka, appendStreamPrefix(nil, b)) {
			t.Fatalf("a key of one of %q and %q lies among the other's", a, b)
		}
		// No key of b may lie between two keys of a.
		low, high := appendStreamKey(nil, a, 0), appendStreamKey(nil, a, maxNumber)
		if bytes.Compare(low, kb) < 0 && bytes.Compare(kb, high) < 0 {
			t.Fatalf("%d@%q lies within %q", rb, b, a)
		}
	})
}

func FuzzIndexBlocksAreReadBack(f *testing.F) {
	f.Add([]byte{1, 0x80, 1, 5})
	f.Add([]byte{0x80})
	f.Add(bytes.Repeat([]byte{0xFF}, 11))
	f.Fuzz(func(t *testing.T, block []byte) {
		p, n := posting{}, entriesIn(block)
		for pos, rest := uint64(0), block; len(rest) > 0; {
			var err error
			if pos, rest, err = nextPosition(rest, pos); err != nil {
				return
			}
			p.add(pos)
		}
		if p.count != n {
			t.Fatalf("%d entries counted, %d read", n, p.count)
		}
		for pos, rest := uint64(0), p.block; len(rest) > 0; {
			var err error
			if pos, rest, err = nextPosition(rest, pos); err != nil || pos > p.last {
				t.Fatalf("read back %d, %v", pos, err)
			}
		}
	})
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

func TestTimesKeepTheirTicks(t *testing.T) {
	t.Parallel()
	for _, want := range []time.Time{
		time.Date(2026, 11, 23, 12, 0, 0, 123456700, time.UTC), time.Unix(0, 0).UTC(), time.Date(1969, 12, 31, 23, 59, 59, 999999900, time.UTC),
	} {
		if got := timeOf(ticksOf(want)); !got.Equal(want) {
			t.Errorf("%s became %s", want, got)
		}
	}
}

func TestCacheForgetsOldestFirst(t *testing.T) {
	t.Parallel()
	c := newCache[int, int](10)
	for i := range 100 {
		c.put(i, i)
		if v, ok := c.get(3); i >= 3 && (!ok || v != 3) {
			t.Fatalf("a key in use was forgotten after %d", i)
		}
	}
	for i := 91; i < 100; i++ {
		if v, ok := c.get(i); !ok || v != i {
			t.Errorf("a recent key %d was forgotten", i)
		}
	}
	if n := len(c.young) + len(c.old); n > 20 {
		t.Errorf("%d keys are remembered, at most 20 may be", n)
	}
}
