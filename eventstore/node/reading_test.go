package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

func TestStreamReadsBothWays(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	const size = 700 // several pages
	appendTo(t, e, "s-1", size)
	appendTo(t, e, "s-10", 5)
	cases := []struct {
		d           node.Direction
		from, limit uint64
		first, last int // revisions; -1 for nothing
	}{
		{node.Forwards, 0, node.NoLimit, 0, size - 1},
		{node.Forwards, 3, 2, 3, 4},
		{node.Forwards, 0, 600, 0, 599},
		{node.Forwards, size - 1, 10, size - 1, size - 1},
		{node.Forwards, size, 10, -1, -1},
		{node.Forwards, node.NoLimit, 10, -1, -1},
		{node.Forwards, 0, 0, -1, -1},
		{node.Backwards, node.NoLimit, node.NoLimit, size - 1, 0},
		{node.Backwards, 5000, 3, size - 1, size - 3},
		{node.Backwards, size - 1, 1, size - 1, size - 1},
		{node.Backwards, 300, 600, 300, 0},
		{node.Backwards, 0, 10, 0, 0},
		{node.Backwards, 4, 0, -1, -1},
	}
	for _, c := range cases {
		list := collect(t, e.Stream(t.Context(), "s-1", c.d, c.from, c.limit))
		first, last := -1, -1
		for i, r := range list {
			if last = int(r.Revision); i == 0 {
				first = last
			} else if step := last - int(list[i-1].Revision); step != 1 && step != -1 {
				t.Errorf("%+v: revision %d follows %d", c, last, list[i-1].Revision)
			}
		}
		if first != c.first || last != c.last {
			t.Errorf("%+v: read %d to %d", c, first, last)
		}
	}
}

func TestLogReadsBothWays(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	for i := range 30 {
		appendTo(t, e, fmt.Sprintf("s-%d", i%7), 20)
	}
	all := collect(t, e.ReadAll(t.Context(), eventstore.Start))
	if len(all) != 600 {
		t.Fatalf("%d events, want 600", len(all))
	}
	backwards := collect(t, e.All(t.Context(), node.Backwards, node.End, node.NoLimit))
	for i, r := range backwards {
		if r.Position != all[len(all)-1-i].Position {
			t.Fatalf("event %d from the end is at %s", i, r.Position)
		}
	}
	checks := map[string]struct {
		got  []eventstore.Recorded
		want []eventstore.Recorded
	}{
		"forwards is inclusive":         {collect(t, e.All(t.Context(), node.Forwards, all[100].Position, 3)), all[100:103]},
		"backwards is exclusive":        {collect(t, e.All(t.Context(), node.Backwards, all[100].Position, 1)), all[99:100]},
		"backwards from start is empty": {collect(t, e.All(t.Context(), node.Backwards, eventstore.Start, 5)), nil},
		"forwards from end is empty":    {collect(t, e.All(t.Context(), node.Forwards, node.End, 5)), nil},
		"no limit is no events":         {collect(t, e.All(t.Context(), node.Forwards, eventstore.Start, 0)), nil},
		"a limit over pages holds":      {collect(t, e.All(t.Context(), node.Forwards, eventstore.Start, 599)), all[:599]},
		"between positions goes on": {
			collect(t, e.All(t.Context(), node.Forwards, eventstore.Position{Commit: all[4].Position.Commit, Prepare: all[4].Position.Prepare + 1}, 1)), all[5:6],
		},
	}
	for name, c := range checks {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestScanAllCountsWhatItConsiders(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	for i := range 100 {
		appendTo(t, e, fmt.Sprintf("s-%d", i%10), 1)
	}
	match := func(stream, _ []byte) bool { return bytes.Equal(stream, []byte("s-3")) }
	from, matched := eventstore.Start, 0
	for pages := 1; ; pages++ {
		page, err := e.ScanAll(t.Context(), node.Scan{From: from, Match: match, MaxScanned: 32})
		if err != nil {
			t.Fatal(err)
		}
		matched += len(page.Events)
		if page.End {
			head, err := e.Head(t.Context())
			if pages != 4 || page.Scanned != 4 || page.Through != head || err != nil {
				t.Errorf("page %d: %d scanned through %s, head %s, %v", pages, page.Scanned, page.Through, head, err)
			}
			break
		}
		if page.Scanned != 32 {
			t.Fatalf("page %d considered %d events, want 32", pages, page.Scanned)
		}
		from = eventstore.Position{Commit: page.Through.Commit + 1, Prepare: page.Through.Prepare + 1}
	}
	if matched != 10 {
		t.Errorf("%d events matched, want 10", matched)
	}
}

func TestWhatIsReadIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	appendTo(t, e, "s-1", 300)
	var list []eventstore.Recorded
	for r, err := range e.ReadAll(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		clear(r.Metadata)
		list = append(list, r)
		_ = append(r.Metadata, "over the edge"...)
	}
	for i, r := range list {
		if want := fmt.Sprintf(`{"n":%d}`, i); string(r.Data) != want {
			t.Fatalf("event %d holds %s", i, r.Data)
		}
	}
	if again := streamOf(t, e, "s-1"); string(again[7].Metadata) != "{}" {
		t.Fatalf("a caller changed the store: %s", again[7].Metadata)
	}
}

func TestStreamNamesMayHoldAnyByte(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	e := d.open(t)
	names := []string{"a", "a\x00", "a\x00\x00", "a\x00\xff", "a\xff", "a\x00\x00\x00\x00\x00\x00\x00\x00\x00", "\x00", "\xff\xff", "a\x00b", "L", "S"}
	for i, name := range names {
		appendTo(t, e, name, i+1)
	}
	e = d.reopen(t, e)
	for i, name := range names {
		if n := len(streamOf(t, e, name)); n != i+1 {
			t.Errorf("stream %q reads %d events, want %d", name, n, i+1)
		}
		if last, err := e.LastRevision(t.Context(), name); err != nil || last != uint64(i) {
			t.Errorf("stream %q ends at %d, want %d (%v)", name, last, i, err)
		}
	}
}

func TestLastRevisionOfNoStream(t *testing.T) {
	t.Parallel()
	if last, err := inMemory(t).LastRevision(t.Context(), "missing"); err != nil || last != eventstore.NoRevision {
		t.Fatalf("answered %d, %v", last, err)
	}
}

func TestWaitHead(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	first := appendTo(t, e, "s-1", 3)
	if head, err := e.WaitHead(t.Context(), eventstore.Start); err != nil || head != first.Position {
		t.Fatalf("head %s, %v; want %s at once", head, err, first.Position)
	}
	passed := make(chan eventstore.Position)
	go func() {
		head, err := e.WaitHead(t.Context(), first.Position)
		if err != nil {
			t.Errorf("wait: %v", err)
		}
		passed <- head
	}()
	second := appendTo(t, e, "s-1", 1)
	if head := <-passed; head != second.Position {
		t.Fatalf("woken at %s, want %s", head, second.Position)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.WaitHead(ctx, second.Position); !errors.Is(err, context.Canceled) {
		t.Fatalf("an ended wait answered %v", err)
	}
}

func TestFilterSelectsByOneThing(t *testing.T) {
	t.Parallel()
	f := eventstore.Filter{Types: []string{"a"}, Streams: []string{"b"}}
	if _, err := inMemory(t).Subscribe(t.Context(), eventstore.Start, f); err == nil {
		t.Fatal("a filter on types and streams was accepted")
	}
}
