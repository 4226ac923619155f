package node_test

import (
	"iter"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// disk is a file system in memory that outlives engines.
type disk struct{ fs vfs.FS }

func newDisk(t *testing.T) disk {
	t.Helper()
	return disk{fs: vfs.NewMem()}
}

func (d disk) open(t *testing.T) *node.Engine {
	t.Helper()
	return open(t, "node", node.Options{FS: d.fs})
}

// reopen closes an engine and opens its folder again.
func (d disk) reopen(t *testing.T, e *node.Engine) *node.Engine {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	return d.open(t)
}

// collect reads all of a sequence, which must not fail.
func collect(t *testing.T, events iter.Seq2[eventstore.Recorded, error]) []eventstore.Recorded {
	t.Helper()
	var list []eventstore.Recorded
	for r, err := range events {
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		list = append(list, r)
	}
	return list
}

// appendTo appends n new events to the end of a stream.
func appendTo(t *testing.T, e *node.Engine, stream string, n int) eventstore.Appended {
	t.Helper()
	out, err := e.AppendExpecting(t.Context(), stream, node.Any(), newEvents(n))
	if err != nil {
		t.Fatalf("append to %q: %v", stream, err)
	}
	return out
}
