package node_test

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// BenchmarkScavenge measures how long appends and reads of others take while a
// scavenge removes half of a log, on disk; HOSTFOLD_SOAK makes the log long.
func BenchmarkScavenge(b *testing.B) {
	events := 200_000
	if os.Getenv("HOSTFOLD_SOAK") != "" {
		events = 2_000_000
	}
	for b.Loop() {
		b.StopTimer()
		e, err := node.Open(b.TempDir(), node.Options{})
		if err != nil {
			b.Fatal(err)
		}
		const streams = 200
		for n := 0; n < events; n += 100 {
			list := make([]eventstore.NewEvent, 100)
			for i := range list {
				id := uuid.New()
				list[i] = eventstore.NewEvent{ID: id, Type: "thing.done.v1", Data: fmt.Appendf(nil, `{"text":"%0400x"}`, id[:]), Metadata: []byte(`{}`)}
			}
			// The streams' events lie mixed in the log.
			if _, err := e.AppendExpecting(b.Context(), fmt.Sprintf("s-%d", n/100%streams), node.Any(), list); err != nil {
				b.Fatal(err)
			}
		}
		for i := 0; i < streams; i += 2 {
			if _, err := e.Tombstone(b.Context(), fmt.Sprintf("s-%d", i), node.Any()); err != nil {
				b.Fatal(err)
			}
		}
		idle := latencies(b, e, time.After(2*time.Second), nil)
		b.StartTimer()
		done := make(chan struct{})
		var out node.Scavenged
		var work sync.WaitGroup
		work.Go(func() {
			defer close(done)
			out, err = e.Scavenge(b.Context(), nil)
		})
		busy := latencies(b, e, nil, done)
		work.Wait()
		b.StopTimer()
		if err != nil || out.Events == 0 {
			b.Fatal(out, err)
		}
		b.Logf("%+v", out)
		for name, l := range map[string][]time.Duration{"idle": idle, "busy": busy} {
			slices.Sort(l)
			b.ReportMetric(float64(l[len(l)/2].Microseconds()), name+"-p50-µs")
			b.ReportMetric(float64(l[len(l)*99/100].Microseconds()), name+"-p99-µs")
			b.ReportMetric(float64(l[len(l)-1].Microseconds()), name+"-max-µs")
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// latencies measures appends and reads of one stream, one after the other.
func latencies(b *testing.B, e *node.Engine, after <-chan time.Time, done <-chan struct{}) (list []time.Duration) {
	b.Helper()
	for {
		select {
		case <-after:
			return list
		case <-done:
			return list
		default:
		}
		began := time.Now()
		if _, err := e.AppendExpecting(b.Context(), "mine", node.Any(), newEvents(1)); err != nil {
			b.Fatal(err)
		}
		for _, err := range e.Stream(b.Context(), "mine", node.Backwards, node.NoLimit, 10) {
			if err != nil {
				b.Fatal(err)
			}
		}
		list = append(list, time.Since(began))
	}
}
