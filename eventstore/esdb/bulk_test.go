package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/esdb"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

// mixed are n appends of one to three events to several streams in turn.
func mixed(n, streams int) []esdb.Append {
	next := map[string]uint64{}
	list := make([]esdb.Append, n)
	for i := range list {
		a := esdb.Append{Stream: fmt.Sprint("bulk-", i%streams), Events: events(1+i%3, "x.happened.v1")}
		a.Expected = eventstore.After(next[a.Stream])
		next[a.Stream] += uint64(len(a.Events))
		list[i] = a
	}
	return list
}

// appendAll makes the appends and answers what became of each.
func appendAll(ctx context.Context, s *esdb.Store, list iter.Seq[esdb.Append]) (outcomes []esdb.Outcome, err error) {
	err = s.AppendAll(ctx, list, func(o esdb.Outcome) error {
		outcomes = append(outcomes, o)
		return nil
	})
	return outcomes, err
}

// checkLog wants the log to hold the events of the appends, once and in order.
func checkLog(t *testing.T, s eventstore.Store, list []esdb.Append, outcomes []esdb.Outcome) {
	t.Helper()
	type place struct {
		ID       uuid.UUID
		Stream   string
		Revision uint64
	}
	var want, got []place
	for _, a := range list {
		last, ok := a.Expected.Last()
		if !ok {
			last = eventstore.NoRevision
		}
		for _, e := range a.Events {
			last++
			want = append(want, place{e.ID, a.Stream, last})
		}
	}
	ends := map[uuid.UUID]eventstore.Appended{}
	for r, err := range s.ReadAll(within(t, time.Minute), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, place{r.ID, r.Stream, r.Revision})
		ends[r.ID] = eventstore.Appended{Revision: r.Revision, Position: r.Position}
	}
	if !slices.Equal(want, got) {
		t.Fatalf("%d events are stored, want %d, or not the same, or in another order", len(got), len(want))
	}
	if len(outcomes) != len(list) {
		t.Fatalf("%d outcomes of %d appends", len(outcomes), len(list))
	}
	for i, o := range outcomes {
		if o.Err != nil || o.Stream != list[i].Stream || o.Appended != ends[list[i].Events[len(list[i].Events)-1].ID] {
			t.Fatalf("outcome %d of %s is %+v, %v", i, list[i].Stream, o.Appended, o.Err)
		}
	}
}

func TestBulkKeepsOrder(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	s := open(t, n.URL)
	list := mixed(3000, 7)
	outcomes, err := appendAll(t.Context(), s, slices.Values(list))
	if err != nil {
		t.Fatal(err)
	}
	checkLog(t, n.Engine, list, outcomes)
	again, err := appendAll(t.Context(), s, slices.Values(list))
	if err != nil {
		t.Fatal(err)
	}
	checkLog(t, n.Engine, list, again)
}

func TestBulkOfNothing(t *testing.T) {
	t.Parallel()
	s := open(t, "esdb://127.0.0.1:1?tls=false")
	if outcomes, err := appendAll(t.Context(), s, slices.Values([]esdb.Append(nil))); err != nil || outcomes != nil {
		t.Errorf("it answers %v, %v", outcomes, err)
	}
}

// TestBulkRefusals has refused appends among good ones.
func TestBulkRefusals(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	s := open(t, n.URL)
	appendAt(t, s, "old", 0, events(3, "x.happened.v1")...)
	big := events(1, "x.happened.v1")
	big[0].Data = fmt.Appendf(nil, "%q", make([]byte, eventstore.MaxAppendSize))
	list := []esdb.Append{
		{"new", eventstore.NoStream(), events(2, "x.happened.v1")},
		{"old", eventstore.NoStream(), events(1, "x.happened.v1")},
		{"big", eventstore.NoStream(), big},
		{"forgot", eventstore.Expected{}, events(1, "x.happened.v1")},
		{"none", eventstore.NoStream(), nil},
		{"missing", eventstore.Revision(0), events(1, "x.happened.v1")},
		{"new", eventstore.Revision(1), events(1, "x.happened.v1")},
		{"new", eventstore.Revision(7), events(1, "x.happened.v1")},
	}
	outcomes, err := appendAll(t.Context(), s, slices.Values(list))
	if err != nil || len(outcomes) != len(list) {
		t.Fatalf("%d outcomes, %v", len(outcomes), err)
	}
	for i, o := range outcomes {
		_, want := s.Append(t.Context(), list[i].Stream, list[i].Expected, list[i].Events...)
		if fmt.Sprint(o.Err) != fmt.Sprint(want) {
			t.Errorf("%s: bulk says %v, append says %v", o.Stream, o.Err, want)
		}
	}
	if head, err := n.Engine.LastRevision(t.Context(), "new"); err != nil || head != 2 {
		t.Errorf("the stream ends at %d (%v), want 2", head, err)
	}
}

func TestBulkOfLargeAppends(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	n := nodetest.Start(t)
	s := openWith(t, esdb.Config{URL: n.URL, Deadline: time.Minute})
	list := mixed(30, 3)
	for i := range list {
		for j := range list[i].Events {
			list[i].Events[j].Data = fmt.Appendf(nil, "%q", make([]byte, 80_000))
		}
	}
	// Many small events are more than one message.
	list = append(list, esdb.Append{Stream: "many", Expected: eventstore.NoStream(), Events: events(9000, "x")})
	outcomes, err := appendAll(t.Context(), s, slices.Values(list))
	if err != nil {
		t.Fatal(err)
	}
	checkLog(t, n.Engine, list, outcomes)
}

func TestBulkStopsWhenTold(t *testing.T) {
	t.Parallel()
	s := open(t, nodetest.Start(t).URL)
	enough := errors.New("enough")
	count := 0
	err := s.AppendAll(t.Context(), slices.Values(mixed(2000, 3)), func(esdb.Outcome) error {
		if count++; count == 10 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || count != 10 {
		t.Errorf("after %d outcomes it answers %v", count, err)
	}
}

// TestBulkWithNobodyThere: every append that was taken has an outcome in time.
func TestBulkWithNobodyThere(t *testing.T) {
	t.Parallel()
	s, err := esdb.Open(esdb.Config{URL: "esdb://127.0.0.1:1?tls=false", Deadline: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	begun := time.Now()
	taken := 0
	outcomes, err := appendAll(t.Context(), s, func(yield func(esdb.Append) bool) {
		for _, a := range mixed(5000, 3) {
			if taken++; !yield(a) {
				return
			}
		}
	})
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if !errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrUncertain) || len(outcomes) != taken {
		t.Errorf("%d outcomes of %d appends, %v", len(outcomes), taken, err)
	}
	for _, o := range outcomes {
		if !errors.Is(o.Err, eventstore.ErrUnavailable) {
			t.Fatalf("an outcome is %v", o.Err)
		}
	}
}

// TestBulkOverABrokenLine cuts the connection again and again, and loses answers.
func TestBulkOverABrokenLine(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	w := newWire(t, n.Address)
	s := open(t, "esdb://"+w.l.Addr().String()+"?tls=false")
	list := mixed(3000, 7)
	var outcomes []esdb.Outcome
	err := s.AppendAll(within(t, time.Minute), slices.Values(list), func(o esdb.Outcome) error {
		outcomes = append(outcomes, o)
		switch len(outcomes) % 800 {
		case 200:
			w.cut()
		case 700: // much is left to send
			lost := w.muteFor()
			go func() {
				<-lost
				w.setMute(false)
				w.cut()
			}()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	checkLog(t, n.Engine, list, outcomes)
}

// TestBulkAnswersNeverCome: the store is silent until the bulk gives up; what
// became of the appends is learnt by the same bulk again.
func TestBulkAnswersNeverCome(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	w := newWire(t, n.Address)
	s, err := esdb.Open(esdb.Config{URL: "esdb://" + w.l.Addr().String() + "?tls=false", Deadline: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	list := mixed(1000, 3)
	var outcomes []esdb.Outcome
	err = s.AppendAll(t.Context(), slices.Values(list), func(o esdb.Outcome) error {
		if outcomes = append(outcomes, o); len(outcomes) == 100 {
			w.setMute(true)
		}
		return nil
	})
	if !errors.Is(err, eventstore.ErrUncertain) || !errors.Is(outcomes[len(outcomes)-1].Err, eventstore.ErrUnavailable) {
		t.Fatalf("%d outcomes, the last %v; %v", len(outcomes), outcomes[len(outcomes)-1].Err, err)
	}
	w.setMute(false)
	w.cut()
	outcomes, err = appendAll(within(t, 10*time.Second), s, slices.Values(list))
	if err != nil {
		t.Fatal(err)
	}
	checkLog(t, n.Engine, list, outcomes)
}

// TestBulkWithASlowSource has a source that is silent for longer than the
// deadline.
func TestBulkWithASlowSource(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	s, err := esdb.Open(esdb.Config{URL: n.URL, Deadline: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	list := mixed(6, 2)
	outcomes, err := appendAll(t.Context(), s, func(yield func(esdb.Append) bool) {
		for i, a := range list {
			if i == 3 {
				<-time.After(2500 * time.Millisecond)
			}
			if !yield(a) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	checkLog(t, n.Engine, list, outcomes)
}

func BenchmarkAppendAll(b *testing.B) {
	s, err := esdb.Open(esdb.Config{URL: nodetest.Start(b).URL})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	list := mixed(b.N, 64)
	b.ResetTimer()
	err = s.AppendAll(b.Context(), slices.Values(list), func(o esdb.Outcome) error { return o.Err })
	if err != nil {
		b.Fatal(err)
	}
}
