package node_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// TestDeletionsOutlivePowerLoss cuts the power after a deletion was
// acknowledged and while the stream is being brought back: then its event and
// its metadata are both there, or neither is.
func TestDeletionsOutlivePowerLoss(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 5))
	back := 0
	for range 40 {
		fs := vfs.NewCrashableMem()
		disk := disturb(fs)
		e := open(t, "node", node.Options{FS: disk})
		for _, stream := range []string{"s", "closed"} {
			appendTo(t, e, stream, 3)
		}
		if _, err := e.Delete(t.Context(), "s", node.Revision(2)); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Tombstone(t.Context(), "closed", node.Revision(2)); err != nil {
			t.Fatal(err)
		}
		disk.held.Lock()
		ticket, err := e.Submit(t.Context(), "s", node.NoStream(), newEvents(1))
		if err != nil {
			t.Fatal(err)
		}
		<-disk.reached
		if n := len(streamOf(t, e, "s")); n != 0 {
			t.Errorf("%d events are read before they are durable", n)
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		disk.held.Unlock()
		if _, err := ticket.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		after := open(t, "node", node.Options{FS: crashed})
		for _, err := range after.ReadStream(t.Context(), "closed", 0) {
			if !errors.Is(err, eventstore.ErrStreamDeleted) {
				t.Fatalf("the tombstoned stream reads %v", err)
			}
		}
		last, err := after.LastRevision(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := after.Metadata(t.Context(), "s")
		if err != nil || m.Deleted() != (last == 2) || !m.Deleted() && m.TruncateBefore != 3 {
			t.Fatalf("the stream ends at %d, its metadata are %+v, %v", last, m, err)
		}
		if n := len(streamOf(t, after, "s")); n != int(last)-2 {
			t.Fatalf("%d events are read of a stream that ends at %d", n, last)
		}
		back += int(last) - 2
	}
	t.Logf("the stream was back after %d of 40 power losses", back)
}
