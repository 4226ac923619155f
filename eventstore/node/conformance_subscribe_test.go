package node_test

import (
	"fmt"
	"strconv"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
)

func TestCase22AStreamFromItsStart(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(10)...)
	s := g.toStream("s", client.Start{})
	g.tells(s, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "live")
	g.append("other", client.NoStream{}, event(0))
	g.append("s", client.Revision(9), event(10))
	g.tells(s, "10")

	o := streamRequest("s")
	call := g.follow(o)
	if f := g.frame(call); f.GetConfirmation().GetSubscriptionId() == "" {
		g.Fatalf("the first frame is %v", f)
	}
}

func TestCase23AStreamAfterARevision(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(5)...)
	g.tells(g.toStream("s", client.Revision(2)), "3", "4", "live")
}

func TestCase24AStreamFromItsEnd(t *testing.T) {
	g := begin(t)
	g.append("été", client.NoStream{}, events(5)...)
	s := g.toStream("été", client.End{})
	g.tells(s, "live")
	g.append("été", client.Revision(4), event(5))
	g.tells(s, "5")
}

func TestCase25AnAbsentStream(t *testing.T) {
	g := begin(t)
	start, end := g.toStream("s", client.Start{}), g.toStream("s", client.End{})
	g.tells(start, "live")
	g.tells(end, "live")
	g.append("s", client.NoStream{}, event(0))
	g.tells(start, "0")
	g.tells(end, "0")
}

func TestCase26AllAfterAPosition(t *testing.T) {
	g := begin(t)
	g.append("s", client.NoStream{}, events(6)...)
	p := g.readAll(client.ReadAllOptions{}, 10)[3].Event.Position
	g.tells(g.toAll(client.SubscribeToAllOptions{From: p}), "4", "5", "live")
}

func TestCase27ASlowSubscriber(t *testing.T) {
	g := begin(t)
	const n, chunk = 10_000, 500
	s := g.toStream("s", client.Start{})
	g.tells(s, "live")
	g.append("s", client.NoStream{}, event(0))
	g.tells(s, "0")
	for i := uint64(1); i < n; i += chunk {
		g.append("s", client.Revision(i-1), events(int(min(chunk, n-i)))...)
	}
	for i := 1; i < n; i++ {
		g.tells(s, strconv.Itoa(i))
	}
}

func TestCase28AppendsWhileCatchingUp(t *testing.T) {
	g := begin(t)
	const before, during = 1000, 1000
	for i := uint64(0); i < before; i += 100 {
		g.appendAfter("s", i, 100)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := uint64(before); i < before+during; i++ {
			g.appendAfter("s", i, 1)
		}
	}()
	all, stream := g.toAll(client.SubscribeToAllOptions{From: client.Start{}}), g.toStream("s", client.Start{})
	for _, s := range []*client.Subscription{all, stream} {
		for i := 0; i < before+during; {
			if m := g.told(s); m == strconv.Itoa(i) {
				i++
			} else if m != "live" {
				g.Fatalf("message %s where %d should be", m, i)
			}
		}
	}
	<-done
}

func TestCase29AllByAPrefixOfTypes(t *testing.T) {
	g := begin(t)
	for i := range 5 {
		g.append(fmt.Sprint("invoice-", i), client.NoStream{}, typed("invoice.issued.v1", event(i))...)
		g.append(fmt.Sprint("ticket-", i), client.NoStream{}, typed("ticket.opened.v1", event(i))...)
	}
	s := g.toAll(client.SubscribeToAllOptions{
		From:   client.Start{},
		Filter: &client.SubscriptionFilter{Type: client.EventFilterType, Prefixes: []string{"invoice."}},
	})
	g.tells(s, "0", "0", "0", "0", "0", "checkpoint", "live")
	g.append("ticket-9", client.NoStream{}, typed("ticket.opened.v1", event(0))...)
	g.append("invoice-9", client.NoStream{}, typed("invoice.issued.v1", events(2)...)...)
	g.tells(s, "0", "1")
}

func TestCase30AllWithoutSystemEvents(t *testing.T) {
	g := begin(t)
	g.append("a", client.NoStream{}, event(0))
	g.append("$b", client.NoStream{}, typed("$system", events(3)...)...)
	g.append("c", client.NoStream{}, events(2)...)
	for _, regex := range []string{`^[^\$].*`, `^[^$].*`} {
		s := g.toAll(client.SubscribeToAllOptions{
			From: client.Start{}, Filter: &client.SubscriptionFilter{Type: client.EventFilterType, Regex: regex},
		})
		g.tells(s, "0", "0", "1", "checkpoint", "live")
	}
}

func TestCase31CheckpointsOverLiveEvents(t *testing.T) {
	g := begin(t)
	g.append("before", client.NoStream{}, events(3)...)
	s := g.toAll(client.SubscribeToAllOptions{
		From: client.Start{}, MaxSearchWindow: 32, CheckpointInterval: 2,
		Filter: &client.SubscriptionFilter{Type: client.StreamFilterType, Prefixes: []string{"wanted", "last"}},
	})
	g.append("unwanted", client.NoStream{}, events(384)...)
	g.append("last", client.NoStream{}, event(0))
	var last client.Position
	count := 0
	for {
		m := s.Recv()
		if m.EventAppeared != nil {
			break
		}
		if p := m.CheckPointReached; p != nil {
			if p.Commit <= last.Commit {
				g.Errorf("checkpoint %v follows %v", *p, last)
			}
			last = *p
			count++
		}
	}
	if count < 6 || count > 7 {
		g.Errorf("%d checkpoints, want 6 or 7", count)
	}
}

func TestCase32ResumingFromEachCheckpoint(t *testing.T) {
	g := begin(t)
	for i := range 40 {
		stream := "unwanted"
		if i%7 == 3 {
			stream = "wanted"
		}
		g.append(fmt.Sprint(stream, "-", i), client.NoStream{}, events(5)...)
	}
	filter := &client.SubscriptionFilter{Type: client.StreamFilterType, Prefixes: []string{"wanted"}}
	// seen lists positions of events and of checkpoints up to the end of the log.
	seen := func(from client.AllPosition) (list, checkpoints []client.Position) {
		s := g.toAll(client.SubscribeToAllOptions{From: from, MaxSearchWindow: 3, CheckpointInterval: 1, Filter: filter})
		defer func() { _ = s.Close() }()
		for {
			switch m := s.Recv(); {
			case m.EventAppeared != nil:
				list = append(list, m.EventAppeared.Event.Position)
			case m.CheckPointReached != nil:
				checkpoints = append(checkpoints, *m.CheckPointReached)
			case m.CaughtUp != nil:
				return list, checkpoints
			default:
				g.Fatalf("message %+v", m)
			}
		}
	}
	all, checkpoints := seen(client.Start{})
	if len(all) != 30 || len(checkpoints) < 60 {
		g.Fatalf("%d events and %d checkpoints", len(all), len(checkpoints))
	}
	for _, c := range checkpoints {
		var want []client.Position
		for _, p := range all {
			if p.Commit > c.Commit {
				want = append(want, p)
			}
		}
		if got, _ := seen(c); cmp.Diff(want, got) != "" {
			g.Fatalf("resumed from %v:\n%s", c, cmp.Diff(want, got))
		}
	}
}
