package node

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// passEvents bounds what is followed in one go.
	passEvents = 1024
	// pendingEvents and pendingBytes are how many events, or bytes of new names,
	// are kept in memory before blocks are written.
	pendingEvents = 8192
	pendingBytes  = 4 << 20
	// knownCounts bounds the memory of how many entries names have, and
	// knownName the length of those names.
	knownCounts = 1 << 15
	knownName   = 256
)

// index follows the log and notes which events belong to which derived stream.
// Appends know nothing of it. What is pending is in memory and is written in
// blocks now and then, without a sync, together with how far it goes: a crash
// loses both, and the log is followed from there again. An entry never moves.
//
// Blocks are not written into the reserve of free space: nothing is lost with
// them, and the room is for what is. Until there is room again the background
// does not follow, and readers, who may read all the same, keep what they need
// in memory.
type index struct {
	e *Engine
	// turn is held by who follows the log: the engine's own goroutine when much
	// has come, or a reader who needs the rest at once.
	turn    chan struct{}
	through atomic.Uint64 // how far the log was followed
	stopped chan struct{}

	// of who has the turn
	counts  cache[string, uint64]
	size    int // pending events
	names   int // pending bytes of names
	lookups *pebble.Iterator

	// mu guards pending, which readers look into.
	mu      sync.RWMutex
	pending map[derivation]map[string]*posting
}

// openIndex reads how far the index goes. It is made again when it is of
// another layout.
func (e *Engine) openIndex(last uint64) (*index, error) {
	x := &index{
		e: e, turn: make(chan struct{}, 1), stopped: make(chan struct{}),
		counts: newCache[string, uint64](knownCounts), pending: map[derivation]map[string]*posting{},
	}
	for _, by := range []derivation{byCategory, byType, everyStream, streamByCategory} {
		x.pending[by] = map[string]*posting{}
	}
	value, closer, err := e.db.Get(indexKeyThrough())
	if errors.Is(err, pebble.ErrNotFound) {
		return x, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	through, ok := throughOf(value)
	if err := closer.Close(); err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	if !ok || through > last {
		e.o.Logger.Warn("event store makes its index again; where events were scavenged, links get other revisions", "through", through)
		through = 0
		if err := e.db.DeleteRange([]byte{indexPrefix}, []byte{indexPrefix + 1}, pebble.NoSync); err != nil {
			return nil, fmt.Errorf("clear the index: %w", err)
		}
	}
	x.through.Store(through)
	return x, nil
}

// run follows the log in the background, whenever enough has come for blocks
// to be worth while, until the engine is closed.
func (x *index) run() {
	defer close(x.stopped)
	for {
		head := x.e.durable.position()
		due := x.through.Load() + pendingEvents
		if !x.e.hasRoom() {
			// The next append that is taken shows that there is room again.
			due = max(due, head+1)
		}
		if x.e.durable.alarm(due); x.e.durable.position() < due {
			<-x.e.durable.bell
		}
		leave, err := x.e.enter()
		if err != nil {
			return
		}
		leave()
		if err := x.catchUp(context.Background(), min(x.e.durable.position(), x.through.Load()+pendingEvents)); err != nil {
			if !errors.Is(err, ErrClosed) {
				x.e.o.Logger.Error("event store cannot follow its log for derived streams", "error", err)
			}
			return
		}
	}
}

// catchUp follows the log through head, in parts, so that nobody waits long
// for the turn.
func (x *index) catchUp(ctx context.Context, head uint64) error {
	for x.through.Load() < head {
		if err := ctx.Err(); err != nil {
			return err
		}
		select {
		case x.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := x.pass(head)
		<-x.turn
		if err != nil {
			return err
		}
		runtime.Gosched()
	}
	return nil
}

// pass follows one part of the log.
func (x *index) pass(head uint64) (err error) {
	leave, err := x.e.enter()
	if err != nil {
		return err
	}
	defer leave()
	from := x.through.Load() + 1
	if from > head {
		return nil
	}
	head = min(head, from+passEvents-1)
	if err := x.note(from, head); err != nil {
		return fmt.Errorf("follow the log: %w", err)
	}
	if x.size < pendingEvents && x.names < pendingBytes || !x.e.hasRoom() {
		return nil
	}
	if err := x.write(); err != nil {
		return fmt.Errorf("write the index: %w", err)
	}
	return nil
}

// write writes what is pending. Readers find it in both places for a moment.
func (x *index) write() error {
	batch := x.e.db.NewBatch()
	var key []byte
	for by, postings := range x.pending {
		for name, p := range postings {
			key = appendOrdinal(appendIndexPrefix(key[:0], by, name), p.first)
			if err := batch.Set(key, p.block, nil); err != nil {
				return errors.Join(err, batch.Close())
			}
		}
	}
	if err := batch.Set(indexKeyThrough(), putThrough(x.through.Load()), nil); err != nil {
		return errors.Join(err, batch.Close())
	}
	if err := errors.Join(batch.Commit(pebble.NoSync), batch.Close()); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for by, postings := range x.pending {
		for name, p := range postings {
			if len(name) <= knownName {
				x.counts.put(countKey(by, name), p.first+p.count)
			}
		}
		clear(postings)
	}
	x.size, x.names = 0, 0
	return nil
}

// tail is the pending block of a derived stream, as it is now.
func (x *index) tail(d derived) posting {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if p := x.pending[d.by][d.name]; p != nil {
		return *p
	}
	return posting{}
}
