package storetest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/hostfold/hostfold/eventstore"
)

func subscriptionIsExclusive(g *given) {
	s := g.stream("1")
	g.append(s, eventstore.NoStream(), g.events(5)...)
	all := g.read(s, 0)
	g.same(all[2:], g.next(g.subscribe(all[1].Position), 3))
	g.same(all[4:], g.next(g.subscribe(all[3].Position), 1))
}

func subscriptionGetsLater(g *given) {
	sub := g.subscribe(g.head())
	s := g.stream("1")
	for n := range uint64(20) {
		g.append(s, eventstore.After(n), g.event(int(n)))
		if list := g.next(sub, 1); len(list) != 1 || list[0].Revision != n {
			g.Fatalf("append %d delivered %v", n, ids(list))
		}
	}
}

func noSeam(g *given) {
	const writers, before, during = 6, 40, 60
	start := g.head()
	write := func(from, n uint64) {
		together(writers, func(i int) {
			for r := from; r < from+n; r++ {
				if _, err := g.store.Append(g.ctx, g.stream(strconv.Itoa(i)), eventstore.After(r), g.event(i)); err != nil {
					g.Errorf("writer %d: %v", i, err)
					return
				}
			}
		})
	}
	write(0, before)
	done := make(chan struct{})
	go func() { defer close(done); write(before, during) }()
	got := g.next(g.subscribe(start), writers*(before+during))
	<-done
	g.same(g.log(start), got)
}

func subscriptionResumes(g *given) {
	start := g.head()
	g.append(g.stream("1"), eventstore.NoStream(), g.events(30)...)
	var got []eventstore.Recorded
	for after := start; len(got) < 30; {
		sub := g.subscribe(after)
		batch, err := sub.Next(g.ctx, 7)
		if err != nil {
			g.Fatalf("next: %v", err)
		}
		if err := sub.Close(); err != nil {
			g.Fatalf("close: %v", err)
		}
		got, after = append(got, batch.Events...), batch.Through
	}
	g.same(g.read(g.stream("1"), 0), got)
}

// mixed appends events of types a to c in turns to streams x to z.
func (g *given) mixed(n int) (all []eventstore.Recorded) {
	g.Helper()
	start := g.head()
	next := map[string]uint64{}
	for i := range n {
		stream := g.stream([]string{"x", "y", "z"}[i%3])
		kind := g.name + []string{".a.v1", ".b.v1", ".c.v1", ".bb.v1"}[i%4]
		g.append(stream, eventstore.After(next[stream]), g.typed(i, kind))
		next[stream]++
	}
	return g.log(start)
}

func filterByTypes(g *given) {
	start := g.head()
	all := g.mixed(60)
	want := slices.DeleteFunc(slices.Clone(all), func(r eventstore.Recorded) bool {
		return r.Type == g.name+".b.v1" || r.Type == g.name+".bb.v1"
	})
	f := eventstore.Filter{Types: []string{g.name + ".a", g.name + ".c.v1"}}
	g.same(want, g.next(g.subscribeTo(start, f), len(want)))
}

func filterByStreams(g *given) {
	start := g.head()
	all := g.mixed(60)
	want := slices.DeleteFunc(slices.Clone(all), func(r eventstore.Recorded) bool { return r.Stream == g.stream("y") })
	f := eventstore.Filter{Streams: []string{g.stream("x"), g.stream("z")}}
	g.same(want, g.next(g.subscribeTo(start, f), len(want)))
}

func noFilterHidesSystem(g *given) {
	start := g.head()
	s := g.stream("1")
	g.append(s, eventstore.NoStream(), g.event(0), g.typed(1, "$"+g.name), g.event(2))
	all := g.read(s, 0)
	sub := g.subscribeTo(start, eventstore.Filter{})
	var got []eventstore.Recorded
	for len(got) < 2 {
		got = append(got, slices.DeleteFunc(g.next(sub, 1), func(r eventstore.Recorded) bool { return !g.own(r) })...)
	}
	g.same([]eventstore.Recorded{all[0], all[2]}, got)
	system := g.subscribeTo(start, eventstore.Filter{Types: []string{"$" + g.name}})
	g.same(all[1:2], g.next(system, 1))
}

func throughPassesOver(g *given) {
	start := g.head()
	g.append(g.stream("x"), eventstore.NoStream(), g.event(0))
	out := g.append(g.stream("y"), eventstore.NoStream(), g.events(300)...)
	sub := g.subscribeTo(start, eventstore.Filter{Streams: []string{g.stream("x")}})
	got, through := 0, start
	for through.Before(out.Position) {
		batch, err := sub.Next(g.ctx, 100)
		if err != nil {
			g.Fatalf("next at %s of %s: %v", through, out.Position, err)
		}
		if batch.Through.Before(through) {
			g.Fatalf("through went from %s back to %s", through, batch.Through)
		}
		got, through = got+len(batch.Events), batch.Through
	}
	if got != 1 {
		g.Fatalf("%d events matched, want 1", got)
	}
}

func nextIsBounded(g *given) {
	start := g.head()
	g.append(g.stream("1"), eventstore.NoStream(), g.events(50)...)
	sub := g.subscribe(start)
	for seen := 0; seen < 50; {
		batch, err := sub.Next(g.ctx, 8)
		if err != nil {
			g.Fatalf("next: %v", err)
		}
		if len(batch.Events) > 8 {
			g.Fatalf("asked for 8 events, got %d", len(batch.Events))
		}
		seen += len(batch.Events)
	}
}

func slowConsumer(g *given) {
	const appends, chunk = 60, 50
	sub := g.subscribe(g.head())
	s := g.stream("1")
	g.append(s, eventstore.NoStream(), g.event(0))
	got := g.next(sub, 1)
	for i := range uint64(appends) {
		g.append(s, eventstore.After(1+i*chunk), g.events(chunk)...)
	}
	got = append(got, g.next(sub, appends*chunk)...)
	g.numbered(got, 1+appends*chunk)
}

func cancellingEndsNext(g *given) {
	sub := g.subscribe(g.head())
	ctx, cancel := context.WithCancel(g.ctx)
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := sub.Next(ctx, 10); err != nil {
				ended <- err
				return
			}
		}
	}()
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			g.Fatalf("next answered %v", err)
		}
	case <-time.After(5 * time.Second):
		g.Fatal("next goes on after its context has ended")
	}
}

func closedSubscription(g *given) {
	sub := g.subscribe(g.head())
	for range 2 {
		if err := sub.Close(); err != nil {
			g.Fatalf("close: %v", err)
		}
	}
	if batch, err := sub.Next(g.ctx, 10); err == nil {
		g.Fatalf("a closed subscription answered %+v", batch)
	}
}

func oneOrderForAll(g *given) {
	const writers, each, readers = 4, 25, 5
	start := g.head()
	got := make([][]eventstore.Recorded, readers)
	done := make(chan struct{})
	subs := make([]eventstore.Subscription, readers)
	for i := range subs {
		subs[i] = g.subscribe(start)
	}
	go func() {
		defer close(done)
		together(writers, func(i int) {
			for n := range uint64(each) {
				if _, err := g.store.Append(g.ctx, g.stream(strconv.Itoa(i)), eventstore.After(n), g.event(i)); err != nil {
					g.Errorf("writer %d: %v", i, err)
				}
			}
		})
	}()
	for i, sub := range subs {
		got[i] = g.next(sub, writers*each)
	}
	<-done
	for i := range readers {
		g.same(g.log(start), got[i])
	}
}
