package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
	"unsafe"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// Order asks a process that serves an engine for one run. Without a length the
// run lasts until the process is killed; its figures are then empty and come
// when it begins.
type Order struct {
	Writers int           `json:"writers"`
	Length  time.Duration `json:"length"`
}

// Survived says what an engine holds when it is opened: every append that was
// acknowledged before, and at most one more per stream, which was under way.
type Survived struct {
	Acknowledged uint64 `json:"acknowledged"`
	Held         uint64 `json:"held"`
}

// ServeAppends is an engine under measurement in a process that may be killed
// at any time. It opens the engine, tells what survived, and carries out the
// orders that it reads, until their end. What is acknowledged is noted in a
// file that is mapped into memory: the note costs a store, and outlives the
// process.
func ServeAppends(ctx context.Context, dir string, in io.Reader, out io.Writer) error {
	load, err := sharedLoad(dir + ".acknowledged")
	if err != nil {
		return err
	}
	fs, syncs := CountSyncs(vfs.Default)
	e, err := node.Open(dir, node.Options{FS: fs})
	if err != nil {
		return err
	}
	m := &Engine{dir: dir, engine: e, syncs: syncs, load: load}
	return errors.Join(m.serve(ctx, json.NewDecoder(in), json.NewEncoder(out)), e.Close())
}

func (m *Engine) serve(ctx context.Context, orders *json.Decoder, answers *json.Encoder) error {
	survived, err := m.survived(ctx)
	if err != nil {
		return err
	}
	// Event ids go on where the killed process cannot have been.
	m.writer.Store(survived.Held)
	if err := m.warm(ctx); err != nil {
		return err
	}
	if err := answers.Encode(survived); err != nil {
		return err
	}
	for {
		var o Order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		more := until(ctx, o.Length)
		if o.Length == 0 {
			if err := answers.Encode(Figures{}); err != nil {
				return err
			}
			more = func() bool { return ctx.Err() == nil }
		}
		f, err := m.Run(ctx, o.Writers, more)
		if err != nil {
			return err
		}
		if err := answers.Encode(f); err != nil {
			return err
		}
	}
}

// survived reads the whole log, refuses a hole, a repeat and a loss, and makes
// the load go on where each stream ends.
func (m *Engine) survived(ctx context.Context) (Survived, error) {
	index, held := map[string]int{}, make([]uint64, len(m.load.names))
	for i, name := range m.load.names {
		index[name] = i
	}
	var s Survived
	for r, err := range m.engine.ReadAll(ctx, eventstore.Start) {
		if err != nil {
			return s, err
		}
		i, ours := index[r.Stream]
		if !ours {
			continue // the store's own
		}
		if r.Revision != held[i] {
			return s, fmt.Errorf("stream %s goes from %d events to revision %d", r.Stream, held[i], r.Revision)
		}
		held[i]++
		s.Held++
	}
	for i, acknowledged := range m.load.versions {
		if held[i] < acknowledged || held[i] > acknowledged+1 {
			return s, fmt.Errorf("stream %s holds %d events, %d were acknowledged", m.load.names[i], held[i], acknowledged)
		}
		s.Acknowledged += acknowledged
	}
	copy(m.load.versions, held)
	return s, nil
}

// sharedLoad is a load whose versions are a file.
func sharedLoad(path string) (*Load, error) {
	l := NewLoad()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := len(l.versions) * int(unsafe.Sizeof(l.versions[0]))
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	shared, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	// A mapping begins at a page, so the numbers are aligned.
	l.versions = unsafe.Slice((*uint64)(unsafe.Pointer(&shared[0])), len(l.versions)) //nolint:gosec // the size is theirs
	return l, nil
}
