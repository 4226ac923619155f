package node_test

import (
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

func TestCase44ACountHidesWhatIsOlder(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(5)...)
	g.setMetadata("s", `{"$maxCount":2}`)
	for _, c := range []struct {
		from  client.StreamPosition
		back  bool
		count uint64
		want  []uint64
	}{
		{client.Start{}, false, 10, []uint64{3, 4}},
		{client.Start{}, false, 1, []uint64{3}},
		{client.Revision(1), false, 10, []uint64{3, 4}},
		{client.End{}, true, 10, []uint64{4, 3}},
		{client.Revision(2), true, 10, []uint64{}},
		{client.Start{}, true, 10, []uint64{}},
	} {
		o := client.ReadStreamOptions{From: c.from}
		if c.back {
			o.Direction = client.Backwards
		}
		if diff := cmp.Diff(c.want, numbers(g.read("s", o, c.count))); diff != "" {
			g.Errorf("from %v back %v:\n%s", c.from, c.back, diff)
		}
	}
	g.append("s", client.Revision(4), event(5))
	g.tells(g.toStream("s", client.Start{}), "4", "5", "live")
}

func TestCase44ACountDoesNotHideWhatComes(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(5)...)
	g.setMetadata("s", `{"$maxCount":1}`)
	s := g.toStream("s", client.Revision(0))
	g.tells(s, "4", "live")
	g.append("s", client.Revision(4), events(4)...)
	g.tells(s, "5", "6", "7", "8")
	g.delete("s", client.Revision(8))
	g.append("s", client.NoStream{}, events(2)...)
	g.tells(s, "9", "10")
	g.tells(g.toStream("s", client.Start{}), "9", "10", "live") // The deletion took the count away.
}

func TestCase45ATruncationHidesWhatIsBefore(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(6)...)
	g.setMetadata("s", `{"$tb":3}`)
	if diff := cmp.Diff([]uint64{3, 4, 5}, numbers(g.read("s", client.ReadStreamOptions{From: client.Revision(0)}, 10))); diff != "" {
		g.Error(diff)
	}
	if diff := cmp.Diff([]uint64{5, 4, 3}, numbers(g.read("s", client.ReadStreamOptions{From: client.End{}, Direction: client.Backwards}, 10))); diff != "" {
		g.Error(diff)
	}
	list, err := g.frames(withPositions(counting(streamRequest("s"), 2)))
	if err != nil || len(list) != 4 || list[0].GetFirstStreamPosition() != 3 || list[3].GetLastStreamPosition() != 5 {
		g.Errorf("%v %v", list, err)
	}
	list, err = g.frames(withPositions(streamRequest("s")))
	if err != nil || len(list) != 4 || list[0].GetEvent() == nil || list[3].GetLastStreamPosition() != 5 {
		g.Errorf("%v %v", list, err)
	}
	g.setMetadata("s", `{"$tb":6}`)
	if got := g.read("s", client.ReadStreamOptions{}, 10); len(got) != 0 {
		g.Errorf("%d events of a stream cut off behind its end", len(got))
	}
}

func counting(o *streams.ReadReq_Options, n uint64) *streams.ReadReq_Options {
	o.CountOption = &streams.ReadReq_Options_Count{Count: n}
	return o
}

// ticking is a clock that the test moves.
type ticking struct{ since atomic.Int64 }

func (c *ticking) now() time.Time {
	return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).Add(time.Duration(c.since.Load()))
}

func (c *ticking) pass(d time.Duration) { c.since.Add(int64(d)) }

func TestCase46AnAgeHidesWhatIsOlder(t *testing.T) {
	t.Parallel()
	clock := &ticking{}
	g := with(t, nodetest.StartAt(t, clock.now, node.ServeOptions{}))
	g.append("s", client.NoStream{}, events(3)...)
	g.setMetadata("s", `{"$maxAge":1}`)
	clock.pass(time.Second)
	if got := g.read("s", client.ReadStreamOptions{}, 10); len(got) != 3 {
		g.Errorf("%d events are as old as may be", len(got))
	}
	clock.pass(time.Second)
	if got := g.read("s", client.ReadStreamOptions{}, 10); len(got) != 0 {
		g.Errorf("%d events are read", len(got))
	}
	list, err := g.frames(withPositions(streamRequest("s")))
	if err != nil || len(list) != 2 || list[0].GetFirstStreamPosition() != 3 || list[1].GetLastStreamPosition() != 2 {
		g.Errorf("%v %v", list, err)
	}
	g.append("s", client.Revision(2), events(2)...)
	if diff := cmp.Diff([]uint64{4, 3}, numbers(g.read("s", client.ReadStreamOptions{Direction: client.Backwards, From: client.End{}}, 10))); diff != "" {
		g.Error(diff)
	}
}

func TestCase47TheNewestMetadataAreRead(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, event(0))
	for _, n := range []uint64{4, 17} {
		m := client.StreamMetadata{}
		m.SetMaxCount(n)
		m.SetTruncateBefore(n + 1)
		m.SetMaxAge(time.Duration(n) * time.Minute)
		m.SetCacheControl(20 * time.Second)
		m.SetAcl(client.Acl{})
		m.AddCustomProperty("mine", "yes")
		if _, err := g.go4.SetStreamMetadata(g.ctx, "s", client.AppendToStreamOptions{}, m); err != nil {
			g.Fatal(err)
		}
		got, err := g.go4.GetStreamMetadata(g.ctx, "s", client.ReadStreamOptions{})
		if err != nil {
			g.Fatal(err)
		}
		if diff := cmp.Diff(m, *got, cmp.AllowUnexported(client.StreamMetadata{}, client.Acl{})); diff != "" {
			g.Error(diff)
		}
	}
	list := g.read("$$s", client.ReadStreamOptions{From: client.End{}, Direction: client.Backwards}, 10)
	if diff := cmp.Diff([]uint64{1}, numbers(list)); diff != "" {
		g.Error(diff)
	}
}

func TestCase48UnsetMetadataAreAnError(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, event(0))
	_, err := g.go4.GetStreamMetadata(g.ctx, "s", client.ReadStreamOptions{})
	if _, ok := errors.AsType[*client.Error](err); !ok {
		g.Fatalf("answered %v", err)
	}
	g.isMissing("$$s")
}

func TestCase49AllKeepsWhatAStreamHides(t *testing.T) {
	g := begin(t)
	g.append("cut", client.NoStream{}, events(5)...)
	g.append("deleted", client.NoStream{}, events(3)...)
	g.append("tombstoned", client.NoStream{}, events(2)...)
	g.setMetadata("cut", `{"$maxCount":1}`)
	g.delete("deleted", client.Any{})
	g.tombstone("tombstoned", client.Any{})
	held := map[string]int{}
	for _, e := range g.readAll(client.ReadAllOptions{}, math.MaxUint64) {
		held[e.Event.StreamID]++
	}
	want := map[string]int{"cut": 5, "deleted": 3, "tombstoned": 3, "$$cut": 1, "$$deleted": 1}
	if diff := cmp.Diff(want, held); diff != "" {
		g.Error(diff)
	}
}
