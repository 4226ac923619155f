package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// ErrScavenging says that a scavenge is under way; there is one at a time.
var ErrScavenging = errors.New("a scavenge is under way")

// Scavenged is what a scavenge has done.
type Scavenged struct {
	ID uuid.UUID
	// Through is the head of the log when it began: what came later was left.
	Through eventstore.Position
	// Events were removed, of Streams; metadata streams count as well.
	Events, Streams uint64
	// BytesBefore and BytesAfter are what the log took on disk.
	BytesBefore, BytesAfter uint64
}

// scavenger is what an engine knows of its scavenges.
type scavenger struct {
	// removed says that something was removed, by whatever scavenge.
	removed atomic.Bool
	// through is that of the newest scavenge, before it removes anything.
	through atomic.Uint64
	// deciding is held while appends are decided, and while a removal is
	// applied: neither sees the other half done.
	deciding sync.Mutex
	// ids are events removed lately, so that their repeats are still known;
	// guarded by deciding.
	ids cache[uuid.UUID, removedEvent]

	mu     sync.Mutex
	now    *scavenge // under way
	last   Scavenged
	result scavengeResult // of the last one
	events atomic.Uint64  // removed since the engine was opened
	bytes  atomic.Uint64  // given back
}

type removedEvent struct {
	stream        string
	revision, pos uint64
}

// scavengeResult is how the last scavenge ended, in the words of the store.
type scavengeResult string

const (
	scavengeUnknown    scavengeResult = "Unknown"
	scavengeInProgress scavengeResult = "InProgress"
	scavengeSuccess    scavengeResult = "Success"
	scavengeStopped    scavengeResult = "Stopped"
	scavengeErrored    scavengeResult = "Errored"
)

// asOf is the position at which a read that begins now sees the log: one that
// a scavenge has overtaken sees it as the scavenge did, since what was in force
// before may be gone.
func (s *scavenger) asOf(through uint64) uint64 { return max(through, s.through.Load()) }

// openScavenger finds whether anything was removed before.
func (e *Engine) openScavenger() error {
	e.scavenger.ids, e.scavenger.result = newCache[uuid.UUID, removedEvent](knownIDs), scavengeUnknown
	n, err := newNotes(e.db)
	if err != nil {
		return err
	}
	some, err := n.any()
	e.scavenger.removed.Store(some)
	return errors.Join(err, n.close())
}

// scavenge is one scavenge under way.
type scavenge struct {
	e       *Engine
	stop    chan struct{} // closed to stop it
	stopped sync.Once
	cursor  []byte // from where streams are still to be looked at
	through uint64
	counted string // the stream counted last
	out     Scavenged
	step    func(removed uint64)
}

// beginScavenge takes the turn; run must be called then.
func (e *Engine) beginScavenge() (*scavenge, error) {
	s := &e.scavenger
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != nil {
		return nil, fmt.Errorf("%w: %s", ErrScavenging, s.now.out.ID)
	}
	s.now = &scavenge{e: e, stop: make(chan struct{}), cursor: []byte{streamPrefix}, out: Scavenged{ID: e.o.NewID()}, step: func(uint64) {}}
	return s.now, nil
}

// scavengeNow is the id of the scavenge under way, and of the last one with how
// it ended.
func (e *Engine) scavengeNow() (now, last uuid.UUID, result scavengeResult) {
	s := &e.scavenger
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != nil {
		return s.now.out.ID, s.now.out.ID, scavengeInProgress
	}
	return uuid.Nil, s.last.ID, s.result
}

// StopScavenge stops the scavenge with an id, after its present step; ok is
// false when there is none.
func (e *Engine) StopScavenge(id uuid.UUID) (ok bool) {
	s := &e.scavenger
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || s.now.out.ID != id {
		return false
	}
	s.now.stopped.Do(func() { close(s.now.stop) })
	return true
}

// Scavenge removes the events that no read of a stream can return any more, and
// gives their space on disk back: those of deleted streams, and those that
// $maxCount, $maxAge or $tb hide. It keeps tombstones, the last event of every
// other stream and of its metadata, and the last event of the log. Links to what
// is gone, in derived streams, are gone with it, but $streams and $category-
// still name the stream.
//
// Appends and reads go on meanwhile. It may be stopped or cut short at any time,
// and called again; what was removed stays removed. Step, which may be nil, is
// told how many events were removed. Errors are ErrScavenging, ErrClosed,
// eventstore.ErrNoSpace when less than half the reserve is left, and ctx's.
func (e *Engine) Scavenge(ctx context.Context, step func(removed uint64)) (Scavenged, error) {
	s, err := e.beginScavenge()
	if err != nil {
		return Scavenged{}, err
	}
	if step != nil {
		s.step = step
	}
	return s.run(ctx)
}

// run scavenges.
func (s *scavenge) run(ctx context.Context) (Scavenged, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-s.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	began := s.e.o.Clock()
	s.e.o.Logger.Info("scavenge begins", "id", s.out.ID)
	err := s.work(ctx)
	cancel()
	<-watched
	s.finish(began, err)
	if err != nil {
		err = fmt.Errorf("scavenge: %w", s.e.folder.spoiled(err))
	}
	return s.out, err
}

// finish gives the turn back.
func (s *scavenge) finish(began time.Time, err error) {
	log := s.e.o.Logger.With("id", s.out.ID, "events", s.out.Events, "streams", s.out.Streams, "took", s.e.o.Clock().Sub(began))
	var result scavengeResult
	switch {
	case err == nil:
		result = scavengeSuccess
		log.Info("scavenge is done", "bytes_before", s.out.BytesBefore, "bytes_after", s.out.BytesAfter)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrClosed):
		result = scavengeStopped
		log.Info("scavenge was stopped, what it removed stays removed")
	default:
		result = scavengeErrored
		log.Error("scavenge ended", "error", err)
	}
	to := &s.e.scavenger
	to.mu.Lock()
	defer to.mu.Unlock()
	to.now, to.last, to.result = nil, s.out, result
}

// work removes, and gives back.
func (s *scavenge) work(ctx context.Context) (err error) {
	if s.out.BytesBefore, err = s.e.liveBytes(); err != nil {
		return err
	}
	s.through = s.e.durable.position()
	s.out.Through = at(s.through)
	if err := s.e.keepEntries(); err != nil {
		return err
	}
	if err := s.e.keepIndex(ctx, s.through); err != nil {
		return err
	}
	for more, compacted := true, uint64(0); more; {
		began := s.e.o.Clock()
		more, err = s.part(ctx)
		if errors.Is(err, eventstore.ErrNoSpace) && s.out.Events > compacted { // What was removed makes room.
			compacted, more = s.out.Events, true
			err = s.e.compact(ctx)
		}
		if err == nil {
			err = rest(ctx, min(s.e.o.Clock().Sub(began), longestRest))
		}
		if err != nil {
			return err
		}
	}
	if err := s.e.compact(ctx); err != nil {
		return err
	}
	if s.out.BytesAfter, err = s.e.liveBytes(); err == nil && s.out.BytesAfter < s.out.BytesBefore {
		s.e.scavenger.bytes.Add(s.out.BytesBefore - s.out.BytesAfter)
	}
	return err
}

// longestRest bounds how long others have the machine for themselves after each
// part; by default as long as the part took.
const longestRest = 20 * time.Millisecond

// rest waits for a while, or until ctx ends.
func rest(ctx context.Context, while time.Duration) error {
	t := time.NewTimer(while)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keepEntries writes the streams' entries: what is removed is in no memory.
func (e *Engine) keepEntries() error {
	leave, err := e.enter()
	if err != nil {
		return err
	}
	defer leave()
	return e.entries.write()
}

// keepIndex makes the index of derived streams durable through a position: it
// could not be made again without the events.
func (e *Engine) keepIndex(ctx context.Context, through uint64) error {
	if err := e.index.catchUp(ctx, through); err != nil {
		return err
	}
	leave, err := e.enter()
	if err != nil {
		return err
	}
	defer leave()
	e.index.turn <- struct{}{}
	defer func() { <-e.index.turn }()
	if err := e.index.write(); err != nil {
		return fmt.Errorf("write the index: %w", err)
	}
	return e.syncLog()
}

// syncLog makes durable what was written without a sync.
func (e *Engine) syncLog() error {
	if err := e.db.LogData(nil, pebble.Sync); err != nil {
		e.fail(fmt.Errorf("sync the log: %w", err))
		return fmt.Errorf("sync the log: %w", err)
	}
	return nil
}
