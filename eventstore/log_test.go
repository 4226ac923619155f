package eventstore_test

import (
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

func TestLogID(t *testing.T) {
	t.Parallel()
	store, err := node.Open("log", node.Options{FS: vfs.NewMem(), Clock: time.Now, NewID: uuid.New})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})

	t.Run("is given once, whoever comes first", func(t *testing.T) {
		var (
			wg   sync.WaitGroup
			mu   sync.Mutex
			seen = map[uuid.UUID]bool{}
		)
		for range 8 {
			wg.Go(func() {
				id, err := eventstore.LogID(t.Context(), store, uuid.New(), time.Now())
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			})
		}
		wg.Wait()
		if len(seen) != 1 {
			t.Errorf("%d ids of one log", len(seen))
		}
	})
	t.Run("is an event that a codec with the log's types decodes", func(t *testing.T) {
		codec, err := eventstore.NewCodec(eventstore.LogTypes()...)
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range store.ReadStream(t.Context(), eventstore.LogStream, 0) {
			if err != nil {
				t.Fatal(err)
			}
			e, m, err := codec.Decode(t.Context(), r)
			if _, ok := e.(eventstore.LogStarted); err != nil || !ok || m.Command == "" || m.Schema != 1 {
				t.Error(e, m, err)
			}
		}
	})
}
