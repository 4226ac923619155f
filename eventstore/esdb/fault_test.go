package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/esdb"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

func isAway(err error) bool { return errors.Is(err, eventstore.ErrUnavailable) }

// TestOutageUnderACrowd is not parallel: it counts goroutines.
func TestOutageUnderACrowd(t *testing.T) { //nolint:paralleltest // See above.
	const writers, deadline = 200, time.Second
	outage := 5 * time.Second
	if soak {
		outage = time.Minute
	}
	n := nodetest.Start(t)
	p := newProxy(t, n.Address)
	s := open(t, p.URL)
	appendAt(t, s, "s", 0, events(1, "x.happened.v1")...)
	sub, err := s.Subscribe(t.Context(), eventstore.Start, eventstore.Filter{}) // makes the other connection
	if err != nil {
		t.Fatal(err)
	}
	_ = sub.Close()
	pulses()
	base := runtime.NumGoroutine()

	begun := time.Now()
	c := gather(s, writers, deadline)
	defer c.disperse()
	eventually(t, 20*time.Second, "every writer writes", func() bool { return c.since(begun) })
	p.Stop()
	<-time.After(outage)
	if err := s.Ready(); !isAway(err) {
		t.Errorf("ready answers %v without a server", err)
	}
	if n := runtime.NumGoroutine() - base; n > 8*writers {
		t.Errorf("%d goroutines more while the server is away", n)
	}
	p.mend()
	back := time.Now()
	eventually(t, 5*time.Second, "somebody writes again", func() bool { return c.any(back) })
	t.Logf("somebody wrote again %s after the server's return", time.Since(back))
	// That all have their turn is up to the machine.
	eventually(t, 30*time.Second, "every writer writes again", func() bool { return c.since(back) })
	t.Logf("all %d writers wrote again %s after the server's return", writers, time.Since(back))
	c.disperse()

	for _, fault := range c.faults {
		t.Error(fault)
	}
	t.Logf("%d appends; the worst call ended %s past its deadline", c.good, c.worst)
	for i, want := range c.appended {
		if last, err := n.Engine.LastRevision(t.Context(), fmt.Sprint("crowd-", i)); err != nil || last+1 != want {
			t.Errorf("writer %d wrote %d events, stored are %d (%v)", i, want, last+1, err)
		}
	}
	eventually(t, 10*time.Second, "goroutines at the base line", func() bool { return runtime.NumGoroutine() <= base })
}

// TestHalfOpen has a connection that swallows everything, both ways, and stays open.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	const silence = time.Second
	n := nodetest.Start(t)
	p := newProxy(t, n.Address)
	s := openWith(t, esdb.Config{URL: p.URL, Silence: silence})
	appendAt(t, s, "s", 0, events(1, "x.happened.v1")...)
	sub, err := s.Subscribe(t.Context(), eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if _, err := sub.Next(within(t, 5*time.Second), 10); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	p.spoil("timeout", "upstream", `"timeout":0`)
	p.spoil("timeout", "downstream", `"timeout":0`)
	if err := ends(within(t, 20*time.Second), sub); !isAway(err) {
		t.Fatalf("the subscription ended with %v", err)
	}
	t.Logf("the subscription noticed after %s", time.Since(begun))
	eventually(t, 20*time.Second, "the loss is noticed", func() bool { return s.Ready() != nil })
	if took := time.Since(begun); took > 10*silence {
		t.Errorf("it took %s", took)
	}
	p.cure()
	cured := time.Now()
	appendAt(t, s, "s", 1, events(1, "x.happened.v1")...)
	again, err := s.Subscribe(within(t, 5*time.Second), eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if took := time.Since(cured); took > 5*time.Second {
		t.Errorf("recovery took %s", took)
	}
}

// TestHalfOpenIsReplaced: the dead connection stays open, new ones work.
func TestHalfOpenIsReplaced(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	w := newWire(t, n.Address)
	s := openWith(t, esdb.Config{URL: "esdb://" + w.l.Addr().String() + "?tls=false", Silence: time.Second})
	appendAt(t, s, "s", 0, events(1, "x.happened.v1")...)
	sub, err := s.Subscribe(t.Context(), eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	w.numb()
	if _, err := s.Append(within(t, 20*time.Second), "s", eventstore.Revision(0), events(1, "x.happened.v1")...); err != nil {
		t.Errorf("append over a dead connection: %v", err)
	}
	if err := ends(within(t, 20*time.Second), sub); !isAway(err) {
		t.Errorf("the subscription ended with %v", err)
	}
	if _, err := s.Subscribe(within(t, 20*time.Second), eventstore.Start, eventstore.Filter{}); err != nil {
		t.Error(err)
	}
}

// TestSlowLine has 300 ms each way.
func TestSlowLine(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	p := newProxy(t, n.Address)
	p.spoil("latency", "upstream", `"latency":300`)
	p.spoil("latency", "downstream", `"latency":300`)
	s := openWith(t, esdb.Config{URL: p.URL, Deadline: 10 * time.Second})
	appendAt(t, s, "s", 0, events(1, "x.happened.v1")...)
	sub, err := s.Subscribe(t.Context(), eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for i := uint64(1); i < 4; i++ {
		appendAt(t, s, "s", i, events(1, "x.happened.v1")...)
	}
	for seen := uint64(0); seen < 4; {
		b, err := sub.Next(within(t, 10*time.Second), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Events {
			if e.Revision != seen {
				t.Fatalf("revision %d where %d should be", e.Revision, seen)
			}
			seen++
		}
	}
	for i := range 8 {
		over, err := overrun(within(t, 200*time.Millisecond), func(ctx context.Context) error { return call(ctx, s, i) })
		if over > slack || !isAway(err) {
			t.Errorf("call %d with 200 ms answered %v, %s late", i, err, over)
		}
	}
	appendAt(t, s, "s", 4, events(1, "x.happened.v1")...)
}

// live is the heap that is in use, garbage left out.
func live() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// TestFarBehind is not parallel: it measures the heap. The server is in this
// process too, so its side of the subscription is measured with it.
func TestFarBehind(t *testing.T) { //nolint:paralleltest // See above.
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	count, size, limit := uint64(100_000), 1024, uint64(64<<20)
	if soak {
		count, size = 1_000_000, 300
	}
	n := nodetest.Start(t)
	data := fmt.Appendf(nil, "%q", make([]byte, size/4)) // four characters each
	const chunk, streams = 500, 20
	for i := uint64(0); i < count; i += chunk {
		list := events(chunk, "x.happened.v1")
		for j := range list {
			list[j].Data = data
		}
		round := i / chunk
		if _, err := n.Engine.Append(t.Context(), fmt.Sprint("s-", round%streams), eventstore.After(round/streams*chunk), list...); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range n.Engine.ReadAll(t.Context(), eventstore.Start) { // fills the engine's cache
		if err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, n.URL)
	before := live()
	sub, err := s.Subscribe(t.Context(), eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	// Nobody takes anything: what comes is held, up to a bound.
	peak := live()
	for grown := true; grown; {
		<-time.After(300 * time.Millisecond)
		now := live()
		grown, peak = now > peak+1<<20, max(peak, now)
	}
	t.Logf("%d KiB are held while nobody takes", (int64(peak)-int64(before))>>10)
	next, last, seen := map[string]uint64{}, eventstore.Start, uint64(0)
	ctx := within(t, 5*time.Minute)
	for begun := time.Now(); seen < count; {
		b, err := sub.Next(ctx, 1000)
		if err != nil {
			t.Fatalf("after %d events: %v", seen, err)
		}
		for _, e := range b.Events {
			if e.Revision != next[e.Stream] || !last.Before(e.Position) {
				t.Fatalf("event %d is %d of %s at %s, after %s; want revision %d", seen, e.Revision, e.Stream, e.Position, last, next[e.Stream])
			}
			next[e.Stream]++
			last = e.Position
		}
		if was := seen / (count / 10); (seen+uint64(len(b.Events)))/(count/10) != was {
			peak = max(peak, live())
		}
		if seen += uint64(len(b.Events)); seen == count {
			t.Logf("%d events in %s", count, time.Since(begun))
		}
	}
	t.Logf("the heap grew by %d KiB at most, over a backlog of %d KiB", int64(peak-before)>>10, count*uint64(size)>>10)
	if peak > before+limit {
		t.Errorf("the heap grew from %d MiB to %d MiB", before>>20, peak>>20)
	}
	if head, err := s.Head(ctx); err != nil || head != last {
		t.Errorf("the last event is at %s, the head at %s (%v)", last, head, err)
	}
}
