package node_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hostfold/hostfold/eventstore/node"
)

// TestDerivedStreamsLeaveTheReserveAlone has a log that was not followed yet
// when the disk is full.
func TestDerivedStreamsLeaveTheReserveAlone(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a test of quantities, which make test runs")
	}
	const streams, each = 50, 500
	fs := scarce{FS: vfs.NewMem(), free: &atomic.Uint64{}}
	fs.free.Store(1 << 30)
	e, err := node.Open("node", node.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	for i := range streams {
		appendTo(t, e, fmt.Sprintf("s-%d", i), each)
	}
	if err := e.ClearIndex(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	written := func() uint64 {
		through, err := e.IndexWritten()
		if err != nil {
			t.Fatal(err)
		}
		return through
	}

	fs.free.Store(200 << 20)
	e = open(t, "node", node.Options{FS: fs, ReserveBytes: 256 << 20})
	derivedAgrees(t, e)
	if through := written(); through != 0 {
		t.Errorf("below the reserve the index was written through %d", through)
	}

	fs.free.Store(1 << 30)
	out := appendTo(t, e, "s-0", 1)
	for limit := time.Now().Add(10 * time.Second); written() != out.Position.Commit; runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatalf("with room again the index is written through %d of %d", written(), out.Position.Commit)
		}
	}
	derivedAgrees(t, e)
}
