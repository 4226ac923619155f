package node_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/storetest"
)

// fewEntries has tests meet entries of streams in memory, written, and being
// written.
const fewEntries = 20

// open opens an engine that the test closes.
func open(t *testing.T, dir string, o node.Options) *node.Engine {
	t.Helper()
	if o.Fatal == nil {
		o.Fatal = func(err error) { t.Errorf("the engine stopped: %v", err) }
	}
	e, err := node.Open(dir, o.WritingEntriesAt(fewEntries))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// inMemory opens an engine on a file system of its own.
func inMemory(t *testing.T) *node.Engine {
	t.Helper()
	return open(t, "node", node.Options{FS: vfs.NewMem()})
}

func TestEngineInMemoryIsAnEventStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) eventstore.Store {
		t.Helper()
		return inMemory(t)
	})
}

func TestEngineOnDiskIsAnEventStore(t *testing.T) {
	t.Parallel()
	shared := open(t, t.TempDir(), node.Options{})
	t.Run("shared", func(t *testing.T) {
		storetest.Run(t, func(*testing.T) eventstore.Store { return shared })
	})
}
