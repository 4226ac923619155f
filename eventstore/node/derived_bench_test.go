package node_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// BenchmarkDerivedCatchUp measures how fast a log without an index is
// followed, by the first read of a derived stream after a start.
func BenchmarkDerivedCatchUp(b *testing.B) {
	for _, types := range []int{50, 200_000} {
		b.Run(fmt.Sprintf("types=%d", types), func(b *testing.B) { catchUpDerived(b, types) })
	}
}

func catchUpDerived(b *testing.B, types int) {
	b.Helper()
	dir := b.TempDir()
	e, err := node.Open(dir, node.Options{})
	if err != nil {
		b.Fatal(err)
	}
	const events = 400_000
	data := make([]byte, 400)
	for i := range events / 500 {
		list := make([]eventstore.NewEvent, 500)
		for j := range list {
			n := i*500 + j
			list[j] = eventstore.NewEvent{ID: uuid.New(), Type: fmt.Sprintf("thing.done%d.v1", n*7919%types), Data: data, Metadata: []byte(`{}`)}
		}
		if _, err := e.AppendExpecting(b.Context(), fmt.Sprintf("c%d-%d", i%20, i), node.NoStream(), list); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		b.StopTimer()
		if err := e.ClearIndex(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if last, err := e.LastRevision(b.Context(), "$streams"); err != nil || last != events/500-1 {
			b.Fatal(last, err)
		}
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkDerivedRead measures reading a category as links.
func BenchmarkDerivedRead(b *testing.B) {
	e, err := node.Open(b.TempDir(), node.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 200 {
		list := make([]eventstore.NewEvent, 500)
		for j := range list {
			list[j] = eventstore.NewEvent{ID: uuid.New(), Type: "thing.done.v1", Data: make([]byte, 400), Metadata: []byte(`{}`)}
		}
		if _, err := e.AppendExpecting(b.Context(), fmt.Sprintf("c%d-%d", i%2, i), node.NoStream(), list); err != nil {
			b.Fatal(err)
		}
	}
	n := 0
	for b.Loop() {
		for _, err := range e.Stream(b.Context(), "$ce-c1", node.Forwards, 0, node.NoLimit) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "links/s")
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}
