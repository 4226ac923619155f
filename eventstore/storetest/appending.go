package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/eventstore"
)

func newStreamBeginsAtZero(g *given) {
	out := g.append(g.stream("1"), eventstore.NoStream(), g.event(0))
	if out.Revision != 0 || !eventstore.Start.Before(out.Position) {
		g.Fatalf("first append answered %+v", out)
	}
}

func revisionsCountUp(g *given) {
	s := g.stream("1")
	first := g.append(s, eventstore.NoStream(), g.events(3)...)
	second := g.append(s, eventstore.Revision(2), g.events(2)...)
	third := g.append(s, eventstore.After(5), g.event(0))
	if first.Revision != 2 || second.Revision != 4 || third.Revision != 5 {
		g.Fatalf("revisions %d, %d, %d", first.Revision, second.Revision, third.Revision)
	}
	if !first.Position.Before(second.Position) || !second.Position.Before(third.Position) {
		g.Fatalf("positions %s, %s, %s", first.Position, second.Position, third.Position)
	}
}

func wrongRevisionIsRefused(g *given) {
	s := g.stream("1")
	g.refused(eventstore.NoRevision, s, eventstore.Revision(0), g.event(0))
	g.append(s, eventstore.NoStream(), g.events(2)...)
	g.refused(1, s, eventstore.NoStream(), g.event(0))
	g.refused(1, s, eventstore.Revision(0), g.event(0))
	g.refused(1, s, eventstore.Revision(5), g.event(0))
}

func noExpectationIsRefused(g *given) {
	if _, err := g.store.Append(g.ctx, g.stream("1"), eventstore.Expected{}, g.event(0)); err == nil {
		g.Fatal("an append that expects nothing was accepted")
	}
	g.same(nil, g.read(g.stream("1"), 0))
}

func repeatAnswersFirstOutcome(g *given) {
	s, list := g.stream("1"), g.events(3)
	first := g.append(s, eventstore.NoStream(), list...)
	if diff := cmp.Diff(first, g.append(s, eventstore.NoStream(), list...)); diff != "" {
		g.Fatalf("repeat (-first +second):\n%s", diff)
	}
	if got := g.read(s, 0); len(got) != 3 {
		g.Fatalf("%d events after a repeat, want 3", len(got))
	}
}

func repeatBehindIsRecognised(g *given) {
	s, list := g.stream("1"), g.events(2)
	g.append(s, eventstore.NoStream(), g.event(0))
	first := g.append(s, eventstore.Revision(0), list...)
	g.append(s, eventstore.Revision(2), g.events(4)...)
	if diff := cmp.Diff(first, g.append(s, eventstore.Revision(0), list...)); diff != "" {
		g.Fatalf("repeat (-first +second):\n%s", diff)
	}
}

func halfARepeatIsRefused(g *given) {
	s, list := g.stream("1"), g.events(2)
	g.append(s, eventstore.NoStream(), list...)
	g.append(s, eventstore.Revision(1), g.event(0))
	g.refused(2, s, eventstore.NoStream(), list[0], g.event(1))
	g.refused(2, s, eventstore.NoStream(), g.event(0), list[1])
}

func oneOfManyWins(g *given) {
	const writers = 16
	s := g.stream("1")
	var wins, losses int
	var mu sync.Mutex
	together(writers, func(i int) {
		_, err := g.store.Append(g.ctx, s, eventstore.NoStream(), g.event(i))
		var wrong *eventstore.WrongRevisionError
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			wins++
		case errors.As(err, &wrong) && wrong.Actual == 0:
			losses++
		default:
			g.Errorf("writer %d: %v", i, err)
		}
	})
	if wins != 1 || losses != writers-1 {
		g.Fatalf("%d won, %d lost", wins, losses)
	}
}

func losersGetThrough(g *given) {
	const writers, each = 8, 10
	s := g.stream("1")
	together(writers, func(i int) {
		for n := range each {
			event := g.event(i*each + n)
			for end := uint64(0); ; {
				_, err := g.store.Append(g.ctx, s, eventstore.After(end), event)
				if err == nil {
					break
				}
				var wrong *eventstore.WrongRevisionError
				if !errors.As(err, &wrong) {
					g.Errorf("writer %d: %v", i, err)
					return
				}
				end = wrong.Actual + 1
			}
		}
	})
	g.numbered(g.read(s, 0), writers*each)
}

func appendIsWhole(g *given) {
	const appends, size = 30, 4
	s := g.stream("1")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range uint64(appends) {
			if _, err := g.store.Append(g.ctx, s, eventstore.After(i*size), g.events(size)...); err != nil {
				g.Errorf("append %d: %v", i, err)
				return
			}
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		if n := len(g.read(s, 0)); n%size != 0 {
			g.Fatalf("a reader saw %d events", n)
		}
	}
	list := g.read(s, 0)
	g.numbered(list, appends*size)
}

func refusedAppendWritesNothing(g *given) {
	s := g.stream("1")
	g.append(s, eventstore.NoStream(), g.event(0))
	g.refused(0, s, eventstore.NoStream(), g.events(5)...)
	g.refused(0, s, eventstore.Revision(7), g.events(5)...)
	g.numbered(g.read(s, 0), 1)
}

func bigEventComesBack(g *given) {
	e := g.event(0)
	e.Data = fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("abcdefghij", 100_000))
	out := g.append(g.stream("1"), eventstore.NoStream(), e)
	for _, list := range [][]eventstore.Recorded{g.read(g.stream("1"), 0), g.log(out.Position)} {
		if len(list) != 1 || string(list[0].Data) != string(e.Data) {
			g.Fatalf("%d events came back, or another one", len(list))
		}
	}
}

func tooLargeIsRefused(g *given) {
	e := g.event(0)
	e.Data = fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("x", eventstore.MaxAppendSize))
	if _, err := g.store.Append(g.ctx, g.stream("1"), eventstore.NoStream(), g.event(0), e); !errors.Is(err, eventstore.ErrTooLarge) {
		g.Fatalf("append over the limit answered %v", err)
	}
	g.same(nil, g.read(g.stream("1"), 0))
	g.append(g.stream("1"), eventstore.NoStream(), g.event(0))
}

func lateAppendIsRefused(g *given) {
	ctx, cancel := context.WithCancel(g.ctx)
	cancel()
	if _, err := g.store.Append(ctx, g.stream("1"), eventstore.NoStream(), g.event(0)); !errors.Is(err, eventstore.ErrUnavailable) {
		g.Fatalf("append with an ended context answered %v", err)
	}
	g.append(g.stream("2"), eventstore.NoStream(), g.event(0))
}

// numbered checks that a stream's events have every revision from 0 on.
func (g *given) numbered(list []eventstore.Recorded, n int) {
	g.Helper()
	if len(list) != n {
		g.Fatalf("%d events, want %d", len(list), n)
	}
	for i, r := range list {
		if r.Revision != uint64(i) {
			g.Fatalf("event %d has revision %d", i, r.Revision)
		}
		if i > 0 && !list[i-1].Position.Before(r.Position) {
			g.Fatalf("position %s follows %s", r.Position, list[i-1].Position)
		}
	}
}

// together runs n functions at once and waits for them.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}
