package node_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// TestALargeLogOpensAtOnce opens a log longer than what opening looks at.
func TestALargeLogOpensAtOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	const total, chunk = 400_000, 500
	dir := t.TempDir()
	e, err := node.Open(dir, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var last *node.Ticket
	for i := range total / chunk {
		if last, err = e.Submit(t.Context(), fmt.Sprintf("s-%d", i), node.NoStream(), newEvents(chunk)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := last.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	e = open(t, dir, node.Options{Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if !strings.Contains(said.String(), "head=400000 events_read=65536\n") {
		t.Errorf("opening said %q", said.String())
	}
	if head, err := e.Head(t.Context()); err != nil || head.Commit != total {
		t.Errorf("head is %s, %v; want %d", head, err, total)
	}
}

// TestASlowSubscriptionCostsNoMemory lets a subscription fall far behind.
func TestASlowSubscriptionCostsNoMemory(t *testing.T) {
	const appends, size = 120, 1_000_000
	e := open(t, t.TempDir(), node.Options{CacheBytes: 1 << 20})
	add := func() {
		for range appends {
			list := newEvents(1)
			list[0].Data = make([]byte, size)
			if _, err := e.AppendExpecting(t.Context(), "s-1", node.Any(), list); err != nil {
				t.Fatal(err)
			}
		}
	}
	add() // from here on the storage has the buffers it needs
	head, err := e.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sub, err := e.Subscribe(t.Context(), head, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	add()
	for seen := 0; seen < appends; {
		batch, err := sub.Next(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(batch.Events); n > 3 {
			t.Fatalf("a batch holds %d events of a megabyte", n)
		}
		seen += len(batch.Events)
	}
	if grown := heap() - before; grown > appends*size/2 {
		t.Errorf("memory grew by %d MB", grown>>20)
	}
}

// heap is the memory in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
