package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

// slack is how far past its deadline a call may answer.
const slack = 100 * time.Millisecond

// many makes n calls of all kinds at once, each with its own deadline, and
// answers those that do not end in time with the right error.
func many(t *testing.T, s eventstore.Store, n int, deadline time.Duration) (faults []string) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			over, err := overrun(ctx, func(ctx context.Context) error { return call(ctx, s, i) })
			mu.Lock()
			defer mu.Unlock()
			if over > slack {
				faults = append(faults, fmt.Sprintf("call %d was answered %s late", i, over))
			}
			if !errors.Is(err, eventstore.ErrUnavailable) {
				faults = append(faults, fmt.Sprintf("call %d answered %v", i, err))
			}
		})
	}
	all.Wait()
	return faults
}

func call(ctx context.Context, s eventstore.Store, i int) (err error) {
	switch i % 5 {
	case 0:
		_, err = s.Head(ctx)
	case 1:
		for _, err = range s.ReadStream(ctx, "s", 0) {
		}
	case 2:
		for _, err = range s.ReadAll(ctx, eventstore.Start) {
		}
	case 3:
		_, err = s.Subscribe(ctx, eventstore.Start, eventstore.Filter{})
	default:
		_, err = s.Append(ctx, fmt.Sprint("away-", i), eventstore.NoStream(), events(1, "x.happened.v1")...)
	}
	return err
}

// ends takes what a subscription received before it was lost, and answers its error.
func ends(ctx context.Context, sub eventstore.Subscription) (err error) {
	for err == nil {
		_, err = sub.Next(ctx, 100)
	}
	return err
}

// eventually waits until what is true.
func eventually(t *testing.T, limit time.Duration, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(limit); !is(); {
		select {
		case <-tick.C:
		case <-late:
			buf := make([]byte, 1<<20)
			t.Fatalf("%s: not within %s\n%s", what, limit, buf[:runtime.Stack(buf, true)])
		}
	}
}

// TestServerAway is not parallel: it counts goroutines.
func TestServerAway(t *testing.T) { //nolint:paralleltest // See above.
	n := nodetest.Start(t)
	s := open(t, n.URL)
	appendAt(t, s, "s", 0, events(3, "x.happened.v1")...)
	sub, err := s.Subscribe(t.Context(), eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Next(within(t, 5*time.Second), 10); err != nil {
		t.Fatal(err)
	}
	pulses()
	base := runtime.NumGoroutine()

	for round := range 3 {
		n.Stop()
		for _, fault := range many(t, s, 50, time.Second) {
			t.Errorf("round %d: %s", round, fault)
		}
		if s.Ready() == nil {
			t.Errorf("round %d: ready without a server", round)
		}
		n.Serve(t)
		ctx := within(t, 5*time.Second)
		if _, err := s.Append(ctx, "s", eventstore.After(uint64(3+round)), events(1, "x.happened.v1")...); err != nil {
			t.Fatalf("round %d: the server is back, but: %v", round, err)
		}
		lost := ends(ctx, sub)
		if !errors.Is(lost, eventstore.ErrUnavailable) {
			t.Fatalf("round %d: the subscription ended with %v", round, lost)
		}
		_ = sub.Close()
		if sub, err = s.Subscribe(ctx, eventstore.Start, eventstore.Filter{}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	_ = sub.Close()
	eventually(t, 10*time.Second, "goroutines at the base line", func() bool { return runtime.NumGoroutine() <= base })
}

// TestSilentServer has a server that takes connections and never answers.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c) }()
		}
	}()
	s := open(t, "esdb://"+l.Addr().String()+"?tls=false")
	for _, fault := range many(t, s, 50, 500*time.Millisecond) {
		t.Error(fault)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	s := open(t, "esdb://127.0.0.1:1?tls=false")
	for _, fault := range many(t, s, 200, 300*time.Millisecond) {
		t.Error(fault)
	}
	if err := s.Ready(); !errors.Is(err, eventstore.ErrUnavailable) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("ready answers %v", err)
	}
}

func TestCloseUnderAppends(t *testing.T) {
	t.Parallel()
	s := open(t, nodetest.Start(t).URL)
	appendAt(t, s, "s", 0, events(1, "x.happened.v1")...)
	var all sync.WaitGroup
	begun := make(chan struct{}, 100)
	for i := range 100 {
		all.Go(func() {
			for n := uint64(0); ; n++ {
				_, err := s.Append(within(t, 10*time.Second), fmt.Sprint("s-", i), eventstore.After(n), events(1, "x.happened.v1")...)
				if n == 0 {
					begun <- struct{}{}
				}
				if err != nil {
					if !errors.Is(err, eventstore.ErrUnavailable) {
						t.Errorf("append %d after close: %v", i, err)
					}
					return
				}
			}
		})
	}
	for range 100 {
		<-begun
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	if _, err := s.Head(t.Context()); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("head after close: %v", err)
	}
}

func TestSubscriptionResumes(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	s := open(t, n.URL)
	for i := range uint64(20) {
		appendAt(t, s, "s", i*10, events(10, "x.happened.v1")...)
	}
	var got []uint64
	after := eventstore.Start
	for round := 0; len(got) < 220; round++ {
		sub, err := s.Subscribe(within(t, 5*time.Second), after, eventstore.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for len(got) < min(220, 60*(round+1)) {
			b, err := sub.Next(within(t, 5*time.Second), 7)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range b.Events {
				got = append(got, e.Revision)
			}
			after = b.Through
		}
		n.Stop()
		if err := ends(within(t, 5*time.Second), sub); !errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatalf("the server stopped, next answers %v", err)
		}
		_ = sub.Close()
		n.Serve(t)
		appendAt(t, s, "s", uint64(200+10*round), events(10, "x.happened.v1")...)
	}
	want := make([]uint64, 220)
	for i := range want {
		want[i] = uint64(i)
	}
	if diff := cmp.Diff(want, got[:220]); diff != "" {
		t.Error(diff)
	}
}

// TestPassesWhatItSkips has a live subscription whose filter leaves out what
// is written: the store says nothing of it for thousands of events.
func TestPassesWhatItSkips(t *testing.T) {
	t.Parallel()
	s := open(t, nodetest.Start(t).URL)
	sub, err := s.Subscribe(t.Context(), eventstore.Start, eventstore.Filter{Types: []string{"wanted."}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	var b eventstore.Batch
	for !b.Live {
		if b, err = sub.Next(within(t, 5*time.Second), 10); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(3) {
		a := appendAt(t, s, "s", i, events(1, "unwanted.happened.v1")...)
		begun := time.Now()
		for b.Through != a.Position {
			if b, err = sub.Next(within(t, 5*time.Second), 10); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("passed after %s", time.Since(begun))
	}
	a := appendAt(t, s, "s", 3, events(1, "wanted.happened.v1")...)
	if b, err = sub.Next(within(t, 5*time.Second), 10); err != nil || len(b.Events) != 1 || b.Events[0].Position != a.Position {
		t.Errorf("got %+v, %v", b, err)
	}
}
