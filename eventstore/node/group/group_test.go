package group_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node/group"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func settings(change func(*group.Settings)) group.Settings {
	s := group.Settings{
		Strategy: group.RoundRobin, MaxRetries: 2, Timeout: 30 * time.Second, CheckpointAfter: 2 * time.Second,
		MinCheckpoint: 2, MaxCheckpoint: 10, LiveBuffer: 50, HistoryBuffer: 100, ReadBatch: 20,
	}
	if change != nil {
		change(&s)
	}
	return s
}

// running is a group from the start of its source.
func running(change func(*group.Settings)) *group.Group {
	return group.New(settings(change), 0, false, group.Parked{}, noon)
}

func join(t *testing.T, g *group.Group, size int) *group.Consumer {
	t.Helper()
	c := &group.Consumer{Size: size}
	if err := g.Join(c); err != nil {
		t.Fatal(err)
	}
	return c
}

// add gives a group the events at places of one stream.
func add(g *group.Group, stream string, from, n uint64) {
	r := group.Read{Next: from + n, Live: true}
	for place := from; place < from+n; place++ {
		e := event(place)
		e.Stream = stream
		r.Messages = append(r.Messages, &group.Message{Event: e, Place: place})
	}
	g.Add(r)
}

// given is what was given out: places by consumer.
func given(list []group.Delivery, to ...*group.Consumer) [][]uint64 {
	out := make([][]uint64, len(to))
	for _, d := range list {
		for i, c := range to {
			if d.To == c {
				out[i] = append(out[i], d.Message.Place)
			}
		}
	}
	return out
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestRoundRobinPassesOverAFullConsumer(t *testing.T) {
	t.Parallel()
	g := running(nil)
	a, b, c := join(t, g, 1), join(t, g, 3), join(t, g, 2)
	add(g, "s", 0, 10)
	same(t, [][]uint64{{0}, {1, 3, 5}, {2, 4}}, given(g.Dispatch(noon), a, b, c))
	g.Ack(b, noon, event(3).ID)
	same(t, [][]uint64{nil, {6}, nil}, given(g.Dispatch(noon), a, b, c))
}

func TestDispatchToSingleGoesOnToTheNext(t *testing.T) {
	t.Parallel()
	g := running(func(s *group.Settings) { s.Strategy = group.DispatchToSingle })
	a, b := join(t, g, 2), join(t, g, 2)
	add(g, "s", 0, 10)
	same(t, [][]uint64{{0, 1}, {2, 3}}, given(g.Dispatch(noon), a, b))
	g.Ack(a, noon, event(0).ID)
	same(t, [][]uint64{{4}, nil}, given(g.Dispatch(noon), a, b))
}

func TestPinnedStreamsWaitForTheirConsumer(t *testing.T) {
	t.Parallel()
	g := running(func(s *group.Settings) { s.Strategy = group.Pinned })
	a, b := join(t, g, 1), join(t, g, 1)
	add(g, "x", 0, 2)
	add(g, "y", 2, 2)
	same(t, [][]uint64{{0}, {2}}, given(g.Dispatch(noon), a, b)) // 1 waits, 2 overtakes.
	g.Ack(b, noon, event(2).ID)
	same(t, [][]uint64{nil, {3}}, given(g.Dispatch(noon), a, b))
	g.Leave(a) // Its stream goes to the one that is left.
	g.Ack(b, noon, event(3).ID)
	same(t, [][]uint64{{0}}, given(g.Dispatch(noon), b))
	g.Ack(b, noon, event(0).ID)
	same(t, [][]uint64{{1}}, given(g.Dispatch(noon), b))
}

func TestPinnedByCorrelationFollowsTheMetadata(t *testing.T) {
	t.Parallel()
	g := running(func(s *group.Settings) { s.Strategy = group.PinnedByCorrelation })
	a, b := join(t, g, 9), join(t, g, 9)
	r := group.Read{Next: 4, Live: true}
	for i, id := range []string{"one", "two", "one", "two"} {
		e := event(uint64(i))
		e.Metadata = []byte(`{"$correlationId":"` + id + `"}`)
		r.Messages = append(r.Messages, &group.Message{Event: e, Place: uint64(i)})
	}
	g.Add(r)
	same(t, [][]uint64{{0, 2}, {1, 3}}, given(g.Dispatch(noon), a, b))
}

func TestPinnedLinksFollowTheirTarget(t *testing.T) {
	t.Parallel()
	g := running(func(s *group.Settings) { s.Strategy = group.Pinned })
	a, b := join(t, g, 9), join(t, g, 9)
	link := func(place uint64, to string) *eventstore.Recorded {
		e := event(place)
		e.Type, e.Stream, e.Data = "$>", "links", []byte("0@"+to)
		return e
	}
	target := event(9)
	target.Stream = "x"
	g.Add(group.Read{Next: 4, Live: true, Messages: []*group.Message{
		{Event: link(0, "x"), Place: 0},
		{Link: link(1, "y"), Place: 1}, // The target is gone.
		{Event: target, Link: link(2, "x"), Place: 2},
		{Event: link(3, "y"), Place: 3},
	}})
	same(t, [][]uint64{{0, 2}, {1, 3}}, given(g.Dispatch(noon), a, b))
}

func TestRetriedEventsComeFirstInOrder(t *testing.T) {
	t.Parallel()
	g := running(nil)
	a := join(t, g, 4)
	add(g, "s", 0, 10)
	same(t, [][]uint64{{0, 1, 2, 3}}, given(g.Dispatch(noon), a))
	g.Nack(a, noon, group.Retry, "", event(2).ID, event(0).ID)
	g.Ack(a, noon, event(1).ID)
	list := g.Dispatch(noon)
	same(t, [][]uint64{{0, 2, 4}}, given(list, a))
	if list[0].Retries != 1 || list[2].Retries != 0 {
		t.Errorf("retries %d and %d", list[0].Retries, list[2].Retries)
	}
}

func TestCheckpointsWaitUntilParkedEventsAreDurable(t *testing.T) {
	t.Parallel()
	g := running(func(s *group.Settings) { s.MaxCheckpoint = 1 })
	a := join(t, g, 4)
	add(g, "s", 0, 2)
	g.Dispatch(noon)
	g.Nack(a, noon, group.Park, "bad", event(0).ID)
	g.Ack(a, noon, event(1).ID)
	if place, due := g.Checkpoint(noon, true); due {
		t.Errorf("checkpoint %d before the event is parked", place)
	}
	parking := g.Parking()
	if len(parking) != 1 || parking[0].Reason != "bad" {
		t.Fatalf("parking %+v", parking)
	}
	g.Parked(1, 0)
	place, due := g.Checkpoint(noon, true)
	same(t, []any{uint64(1), true}, []any{place, due})
}

func TestTooManyRetriesParkAnEvent(t *testing.T) {
	t.Parallel()
	g := running(nil)
	a := join(t, g, 4)
	add(g, "s", 0, 1)
	for range 3 {
		if n := len(g.Dispatch(noon)); n != 1 {
			t.Fatalf("%d events were given out", n)
		}
		g.Nack(a, noon, group.Retry, "", event(0).ID)
	}
	if p := g.Parking(); len(p) != 1 || p[0].Reason != "Reached retry count of 2" || p[0].Message.Retries != 2 {
		t.Fatalf("parking %+v", p)
	}
}

func TestLateEventsAreTakenBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		timeout time.Duration
		after   time.Duration
		late    int
	}{
		"in time":                {30 * time.Second, 29 * time.Second, 0},
		"late":                   {30 * time.Second, 30 * time.Second, 2},
		"no timeout, much later": {0, 1000 * time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := running(func(s *group.Settings) { s.Timeout = c.timeout })
			a := join(t, g, 2)
			add(g, "s", 0, 2)
			g.Dispatch(noon)
			late := g.Tick(noon.Add(c.after))
			if len(late) != c.late || g.Counts().Retrying != c.late || a.InFlight != 2-c.late {
				t.Errorf("late %v, counts %+v", late, g.Counts())
			}
		})
	}
}

func TestCheckpointsAreWrittenWhenDue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change   func(*group.Settings)
		finished uint64
		after    time.Duration
		tick     bool
		due      bool
	}{
		"too few, late":                    {nil, 1, time.Hour, true, false},
		"enough, too early":                {nil, 2, time.Second, true, false},
		"enough, late":                     {nil, 2, 2 * time.Second, true, true},
		"enough, late, no tick":            {nil, 2, 2 * time.Second, false, false},
		"many, at once":                    {nil, 10, 0, false, true},
		"never by time":                    {func(s *group.Settings) { s.CheckpointAfter = 0 }, 9, time.Hour, true, false},
		"never by time, but by number":     {func(s *group.Settings) { s.CheckpointAfter = 0 }, 10, 0, false, true},
		"nothing finished":                 {func(s *group.Settings) { s.MinCheckpoint = 0 }, 0, time.Hour, true, false},
		"a least number above the largest": {func(s *group.Settings) { s.MinCheckpoint, s.MaxCheckpoint = 10, 1 }, 1, 0, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := running(c.change)
			a := join(t, g, 20)
			add(g, "s", 0, 20)
			g.Dispatch(noon)
			for place := range c.finished {
				g.Ack(a, noon, event(place).ID)
			}
			place, due := g.Checkpoint(noon.Add(c.after), c.tick)
			if due != c.due || due && place != c.finished-1 {
				t.Errorf("checkpoint %d, %t", place, due)
			}
		})
	}
}

func TestPassedEventsMoveTheCheckpoint(t *testing.T) {
	t.Parallel()
	g := running(nil)
	join(t, g, 1)
	g.Add(group.Read{Next: 100, Passed: 99, Live: true})
	place, due := g.Checkpoint(noon.Add(time.Minute), true)
	same(t, []any{uint64(99), true}, []any{place, due})
	g.Marked(place, noon.Add(time.Minute))
	// What only the group's own writing moved gives no cause to write again.
	g.Add(group.Read{Next: 102, Live: true})
	if place, due := g.Checkpoint(noon.Add(time.Hour), true); due {
		t.Errorf("checkpoint %d of nothing", place)
	}
}

func TestRoomIsBounded(t *testing.T) {
	t.Parallel()
	g := running(nil)
	if g.Want() != 0 {
		t.Error("a group without consumers reads")
	}
	join(t, g, 5)
	if g.Want() != 20 {
		t.Errorf("a new group wants %d", g.Want())
	}
	add(g, "s", 0, 45)
	if g.Want() != 5 { // 50 at the live end.
		t.Errorf("with 45 buffered it wants %d", g.Want())
	}
	g.Dispatch(noon)
	if g.Want() != 10 {
		t.Errorf("with 40 buffered it wants %d", g.Want())
	}
	big := event(50)
	big.Data = make([]byte, 17<<20)
	g.Add(group.Read{Next: 51, Messages: []*group.Message{{Event: big, Place: 50}}})
	if g.Want() != 0 {
		t.Errorf("with 17 MiB buffered it wants %d", g.Want())
	}
}

func TestTwinsAreGivenOutOneAfterTheOther(t *testing.T) {
	t.Parallel()
	g := running(nil)
	a := join(t, g, 5)
	twin := event(0)
	g.Add(group.Read{Next: 3, Live: true, Messages: []*group.Message{{Event: event(0), Place: 0}, {Event: twin, Place: 1}, {Event: event(2), Place: 2}}})
	same(t, [][]uint64{{0, 2}}, given(g.Dispatch(noon), a))
	g.Ack(a, noon, twin.ID)
	same(t, [][]uint64{{1}}, given(g.Dispatch(noon), a))
}

func TestConsumersAreLimited(t *testing.T) {
	t.Parallel()
	g := running(func(s *group.Settings) { s.MaxConsumers = 1 })
	a := join(t, g, 1)
	if err := g.Join(&group.Consumer{Size: 1}); !errors.Is(err, group.ErrFull) {
		t.Errorf("the second got %v", err)
	}
	g.Leave(a)
	join(t, g, 1)
}

func TestReplaysAreCutWhenFinished(t *testing.T) {
	t.Parallel()
	g := group.New(settings(nil), 10, true, group.Parked{First: 3, End: 6}, noon)
	a := join(t, g, 9)
	g.Replay(100)
	from, n := g.WantReplay()
	same(t, []any{uint64(3), 3}, []any{from, n})
	var list []*group.Message
	for revision := from; revision < from+3; revision++ {
		list = append(list, &group.Message{Event: event(revision), Place: revision})
	}
	g.AddReplay(list, 6)
	add(g, "s", 10, 1)
	same(t, [][]uint64{{3, 4, 5, 10}}, given(g.Dispatch(noon), a))
	if n := g.Counts(); n.Parked != 0 || n.Replaying {
		t.Errorf("counts %+v", n)
	}
	g.Ack(a, noon, event(3).ID)
	if first, due := g.Cut(false); due {
		t.Errorf("cut %d within a replay", first)
	}
	first, due := g.Cut(true)
	same(t, []any{uint64(4), true}, []any{first, due})
	g.WasCut(first)
	g.Nack(a, noon, group.Park, "again", event(4).ID)
	g.Parked(1, 6)
	g.Ack(a, noon, event(5).ID)
	first, due = g.Cut(false)
	same(t, []any{uint64(6), true}, []any{first, due})
	if n := g.Counts(); n.Parked != 1 {
		t.Errorf("counts %+v", n)
	}
}
