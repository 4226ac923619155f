package node

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

const (
	// maxGroup and maxGroupBytes bound what one batch and one sync may carry.
	maxGroup      = 512
	maxGroupBytes = 4 << 20
	// knownStreams and knownIDs bound the memory of stream ends and of ids.
	knownStreams = 1 << 18
	knownIDs     = 1 << 18
	// recentIDs bounds the ids that are read again when a folder is opened.
	recentIDs = 1 << 16
)

var (
	errBroken = errors.New("the storage reported an error")
	errDecide = errors.New("decide an append")
)

// committer is the one goroutine that assigns revisions and positions and
// writes. What it decides is answered when the whole group is durable.
type committer struct {
	e      *Engine
	last   uint64 // the last position given out
	states cache[string, state]
	ids    cache[uuid.UUID, uint64]

	// the group being put together
	group  []*Ticket
	staged []staged
	now    int64
	room   bool
}

// staged is an event of the group that is not in the database yet.
type staged struct {
	event    *eventstore.NewEvent
	stream   string
	revision uint64
	pos      uint64
}

// newCommitter finds the end of the log, remembers its most recent ids, and makes
// the entries again that are not written.
func (e *Engine) newCommitter() (*committer, error) {
	c := &committer{e: e, states: newCache[string, state](knownStreams), ids: newCache[uuid.UUID, uint64](knownIDs)}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: []byte{logPrefix}, UpperBound: []byte{logPrefix + 1}})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	if it.Last() {
		c.last = logKeyPosition(it.Key())
	}
	first := uint64(1)
	if c.last > recentIDs {
		first = c.last - recentIDs + 1
	}
	var stream name
	written, err := e.entries.written(c.last)
	if err != nil {
		return nil, err
	}
	for ok := it.SeekGE(logKey(min(first, written+1))); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		r, err := parseRecord(value)
		if err != nil {
			return nil, fmt.Errorf("position %d: %w", logKeyPosition(it.Key()), err)
		}
		pos := logKeyPosition(it.Key())
		c.ids.put(r.id, pos)
		if pos > written {
			e.entries.addAgain(stream.of(r.stream), r.revision, pos)
		}
	}
	return c, it.Error()
}

// run takes what was submitted, group by group, until Close. A group is made
// durable before the next is gathered: those who were answered join the next
// one, so few writers share one sync instead of taking turns in two.
func (c *committer) run() {
	defer close(c.e.stopped)
	for t := range c.e.submitted {
		// Those woken by the last answer get to submit before the group is closed.
		runtime.Gosched()
		c.gather(t)
		err := c.commit()
		if err != nil {
			c.e.fail(err)
		}
		for i, t := range c.group {
			if err != nil { // a refusal, too, may rest on what was not written
				t.out, t.err = eventstore.Appended{}, fmt.Errorf("%s %q: %w", t.does, t.stream, eventstore.ErrUncertain)
			}
			t.done <- struct{}{}
			c.group[i] = nil
		}
	}
}

// gather makes a group of what is waiting.
func (c *committer) gather(first *Ticket) {
	c.group = append(c.group[:0], first)
	for size := first.size; len(c.group) < maxGroup && size < maxGroupBytes; {
		select {
		case t, ok := <-c.e.submitted:
			if !ok {
				return
			}
			c.group = append(c.group, t)
			size += t.size
		default:
			return
		}
	}
}

// commit decides the group and makes it durable as one batch. After an error
// it is not known what is on disk, and nothing more is written.
func (c *committer) commit() error {
	if why := c.e.broken.Load(); why != nil {
		for _, t := range c.group {
			t.err = *why
		}
		return nil
	}
	began := c.e.o.Clock()
	c.now = ticksOf(began)
	c.room = c.e.hasRoom()
	batch, err := c.apply()
	if batch == nil || err != nil {
		return err
	}
	written := c.e.o.Clock()
	if err := batch.SyncWait(); err != nil {
		return fmt.Errorf("sync %d events: %w", len(c.staged), err)
	}
	synced := c.e.o.Clock()
	c.e.observed.sync.observe(synced.Sub(written))
	c.e.observed.group.observe(synced.Sub(began))
	c.e.observed.appended.Add(uint64(len(c.staged)))
	if c.e.broken.Load() != nil {
		return errBroken
	}
	if err := c.e.mark.advance(c.last); err != nil {
		return err
	}
	c.e.durable.advance(c.last)
	return errors.Join(batch.Close(), c.e.entries.keepBounded())
}

// apply decides the group and applies what it stages, if anything, without
// waiting for its sync. Nothing is scavenged meanwhile.
func (c *committer) apply() (*pebble.Batch, error) {
	c.e.scavenger.deciding.Lock()
	defer c.e.scavenger.deciding.Unlock()
	c.staged = c.staged[:0]
	refused := uint64(0)
	for _, t := range c.group {
		if t.out, t.err = c.decide(t); errors.Is(t.err, errDecide) {
			return nil, t.err
		}
		if t.err != nil {
			refused++
		}
	}
	c.e.observed.refused.Add(refused)
	c.e.observed.appends.Add(uint64(len(c.group)) - refused)
	if len(c.staged) == 0 {
		return nil, nil
	}
	batch := c.e.db.NewBatch()
	if err := c.write(batch); err != nil {
		return nil, fmt.Errorf("write %d events: %w", len(c.staged), err)
	}
	return batch, nil
}

// write fills the batch with records and applies it without waiting for its
// sync. The streams' entries are written later.
func (c *committer) write(b *pebble.Batch) error {
	for i := range c.staged {
		s := &c.staged[i]
		op := b.SetDeferred(logKeySize, recordSize(s.stream, s.event))
		putLogKey(op.Key, s.pos)
		putRecord(op.Value, s.stream, s.revision, c.now, s.event)
		if err := op.Finish(); err != nil {
			return err
		}
	}
	if err := c.e.db.ApplyNoSyncWait(b, pebble.Sync); err != nil {
		return err
	}
	c.e.entries.add(c.staged)
	return nil
}

// stage adds decided events to the group, after the stream's head.
func (c *committer) stage(stream string, s state, events ...eventstore.NewEvent) eventstore.Appended {
	for i := range events {
		s.head++
		c.last++
		c.staged = append(c.staged, staged{event: &events[i], stream: stream, revision: uint64(s.head), pos: c.last})
		c.ids.put(events[i].ID, c.last)
	}
	c.states.put(stream, s)
	return eventstore.Appended{Revision: uint64(s.head), Position: at(c.last)}
}

// hasRoom reports whether the reserve of free space is untouched. A file
// system that cannot tell has room.
func (e *Engine) hasRoom() bool {
	if e.o.ReserveBytes == 0 {
		return true
	}
	usage, err := e.o.FS.GetDiskUsage(e.dir)
	return err != nil || usage.AvailBytes > e.o.ReserveBytes+maxGroupBytes+uint64(e.o.MaxAppendBytes)
}
