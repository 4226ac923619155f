package node

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// A part of a scavenge looks at a few streams and removes a few events in one
// batch, so that nobody waits long for it.
const (
	partStreams = 512
	partCuts    = 64
	partEvents  = 1024
	// partRun is how many neighbours are removed as a range.
	partRun = 16
)

// cut is what is removed of one stream in one part.
type cut struct {
	stream    string
	first     uint64   // the first revision removed
	positions []uint64 // of it and those after it
	runs      []uint64 // the first revisions of the runs they are in
	rest      []entry  // what is kept of the last of these
	// ids are those of the newest events, from the last position on downwards.
	ids []uuid.UUID
	// begin is what is kept of the stream's first event.
	begin []byte
	// through is the position at which the metadata say so; they are looked at
	// again unless the cut is for ever.
	through uint64
	forEver bool
}

// part removes what the next few streams can spare; more is false after the last.
func (s *scavenge) part(ctx context.Context) (more bool, err error) {
	leave, err := s.e.enter()
	if err != nil {
		return false, err
	}
	if !s.e.mayScavenge() {
		leave()
		return false, eventstore.ErrNoSpace
	}
	cuts, next, err := s.cuts()
	due := uint64(0)
	if err == nil && len(cuts) > 0 {
		due, err = s.remove(cuts)
	}
	leave()
	if err != nil {
		return false, err
	}
	if due > 0 { // Metadata have changed that are not durable yet.
		_, err := s.e.durable.wait(ctx, due, nil)
		return true, err
	}
	s.cursor = next
	for i := range cuts {
		s.out.Events += uint64(len(cuts[i].positions))
		if cuts[i].stream != s.counted {
			s.counted = cuts[i].stream
			s.out.Streams++
		}
	}
	s.step(s.out.Events)
	return next != nil, nil
}

// mayScavenge reports whether there is room for the notes of what is removed.
func (e *Engine) mayScavenge() bool {
	if e.o.ReserveBytes == 0 {
		return true
	}
	usage, err := e.o.FS.GetDiskUsage(e.dir)
	return err != nil || usage.AvailBytes > e.o.ReserveBytes/2
}

// cuts collects what the next streams can spare, and from where to go on; that
// is nil after the last stream.
func (s *scavenge) cuts() (cuts []cut, next []byte, err error) {
	through := s.e.durable.position()
	it, err := s.e.look()
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	events := 0
	next = s.cursor
	for streams := 0; streams < partStreams && len(cuts) < partCuts && events < partEvents; streams++ {
		if !it.SeekGE(next) || it.Key()[0] != streamPrefix {
			return cuts, nil, it.Error()
		}
		key := slices.Clone(it.Key())
		stream, first, ok := splitStreamKey(key)
		if !ok {
			return nil, nil, fmt.Errorf("%w: an entry has the key %x", errRecord, key)
		}
		c := cut{stream: stream, first: first, through: through}
		end, err := s.end(it, &c)
		if err == nil && end > first {
			err = c.collect(it, end, s.through, partEvents-events)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("stream %q: %w", stream, err)
		}
		if n := len(c.positions); n > 0 {
			if err := s.e.keep(it, &c); err != nil {
				return nil, nil, fmt.Errorf("stream %q: %w", stream, err)
			}
			cuts, events = append(cuts, c), events+n
			if events == partEvents { // It may have more.
				return cuts, next, nil
			}
		}
		next = afterStream(key[:len(key)-8])
	}
	return cuts, next, nil
}

// end is the first revision of a stream that is kept.
func (s *scavenge) end(it *look, c *cut) (uint64, error) {
	was, err := s.e.span(it, c.stream, s.through)
	if err != nil || was.last == eventstore.NoRevision {
		return 0, err
	}
	isMeta := isMetastream(c.stream)
	c.forEver = isMeta || was.deleted
	switch {
	case was.deleted && isMeta:
		return was.last + 1, nil
	case was.deleted:
		return tombstoneRevision, nil
	case isMeta:
		return was.last, nil
	}
	// What was hidden at the beginning may have been brought back since.
	is, err := s.e.span(it, c.stream, c.through)
	return min(was.first, was.last, is.first), err
}

// collect finds the entries to remove: before a revision, and before a position.
func (c *cut) collect(it *look, end, through uint64, limit int) error {
	for next := c.first; ; {
		run, err := it.writtenSince(c.stream, next)
		if err != nil || len(run) == 0 {
			return err
		}
		for i, at := range run {
			if at.ordinal >= end || at.pos >= through || len(c.positions) == limit {
				if i > 0 {
					c.rest = slices.Clone(run[i:])
				}
				return nil
			}
			if i == 0 {
				c.runs = append(c.runs, at.ordinal)
			}
			c.positions = append(c.positions, at.pos)
		}
		next = run[len(run)-1].ordinal + 1
	}
}

// keep reads what is to be known of events that are removed: the newest ids, and
// what the first event was.
func (e *Engine) keep(it *look, c *cut) error {
	if c.first == 0 {
		r, err := recordOf(it.Iterator, c.stream, c.positions[0])
		if err != nil {
			return err
		}
		event := eventstore.NewEvent{ID: r.id, Type: string(r.kind), Binary: r.binary}
		c.begin = make([]byte, recordSize(c.stream, &event))
		putRecord(c.begin, c.stream, 0, r.ticks, &event)
	}
	for _, pos := range slices.Backward(c.positions) {
		if c.through > 2*knownIDs && pos < c.through-2*knownIDs {
			break
		}
		r, err := recordOf(it.Iterator, c.stream, pos)
		if err != nil {
			return err
		}
		c.ids = append(c.ids, r.id)
	}
	return nil
}

// remove applies the cuts. Due is not zero when nothing was removed, since
// metadata were written meanwhile, up to that position.
func (s *scavenge) remove(cuts []cut) (due uint64, err error) {
	batch := s.e.db.NewBatch()
	err = s.e.fill(batch, cuts)
	if err == nil {
		due, err = s.apply(batch, cuts)
	}
	return due, errors.Join(err, batch.Close())
}

func (s *scavenge) apply(batch *pebble.Batch, cuts []cut) (due uint64, err error) {
	to := &s.e.scavenger
	to.deciding.Lock()
	defer to.deciding.Unlock()
	if due, err = s.e.changed(cuts); err != nil || due > 0 {
		return due, err
	}
	to.through.Store(s.through)
	to.removed.Store(true)
	if err := s.e.db.Apply(batch, pebble.NoSync); err != nil {
		s.e.fail(fmt.Errorf("write a scavenge: %w", err))
		return 0, err
	}
	for _, c := range cuts {
		last := c.first + uint64(len(c.positions)) - 1
		for i, id := range slices.Backward(c.ids) {
			back := uint64(i) //nolint:gosec // an index
			was := removedEvent{stream: c.stream, revision: last - back, pos: c.positions[len(c.positions)-1-i]}
			if other, known := to.ids.get(id); !known || other.pos < was.pos {
				to.ids.put(id, was)
			}
		}
		to.events.Add(uint64(len(c.positions)))
	}
	return 0, nil
}

// changed finds metadata newer than those that cuts rest on.
func (e *Engine) changed(cuts []cut) (due uint64, err error) {
	it, err := e.look()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for _, c := range cuts {
		if c.forEver {
			continue
		}
		_, pos, err := it.lastEntry(metaPrefix+c.stream, math.MaxUint64)
		if err != nil {
			return 0, err
		}
		if pos > c.through {
			due = max(due, pos)
		}
	}
	return due, nil
}

// fill writes the cuts into a batch: entries, records, and the notes that the
// records are gone.
func (e *Engine) fill(batch *pebble.Batch, cuts []cut) error {
	var positions []uint64
	for _, c := range cuts {
		positions = append(positions, c.positions...)
		if err := c.removeRuns(batch); err != nil {
			return err
		}
		if c.begin != nil {
			if err := batch.Set(firstKey(c.positions[0]), c.begin, nil); err != nil {
				return err
			}
		}
	}
	slices.Sort(positions)
	if err := e.noteRemoved(batch, positions); err != nil {
		return err
	}
	for len(positions) > 0 {
		n := 1
		for n < len(positions) && positions[n] == positions[0]+uint64(n) {
			n++
		}
		first := positions[0]
		if err := removeNeighbours(batch, n, func(i int) []byte { return logKey(first + uint64(i)) }); err != nil { //nolint:gosec // an index
			return err
		}
		positions = positions[n:]
	}
	return nil
}

// removeRuns removes the runs that are cut, and writes again what is kept of the
// last.
func (c *cut) removeRuns(batch *pebble.Batch) error {
	kept := appendStreamKey(nil, c.stream, c.first+uint64(len(c.positions)))
	key := func(i int) []byte {
		if i == len(c.runs) {
			return kept
		}
		return appendStreamKey(nil, c.stream, c.runs[i])
	}
	if err := removeNeighbours(batch, len(c.runs), key); err != nil || len(c.rest) == 0 {
		return err
	}
	return batch.Set(kept, appendRun(nil, c.rest), nil)
}

// removeNeighbours removes n keys that have none between them; key(n) is behind
// the last.
func removeNeighbours(batch *pebble.Batch, n int, key func(i int) []byte) error {
	if n >= partRun {
		return batch.DeleteRange(key(0), key(n), nil)
	}
	for i := range n {
		if err := batch.Delete(key(i), nil); err != nil {
			return err
		}
	}
	return nil
}

// noteRemoved notes positions, which are sorted.
func (e *Engine) noteRemoved(batch *pebble.Batch, positions []uint64) (err error) {
	removed, err := newNotes(e.db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removed.close()) }()
	for len(positions) > 0 {
		chunk := positions[0] / chunkSize
		b, err := removed.of(chunk)
		if err != nil {
			return err
		}
		n := 0
		for n < len(positions) && positions[n]/chunkSize == chunk {
			b.set(positions[n])
			n++
		}
		if err := batch.Set(removedKey(chunk), b[:], nil); err != nil {
			return err
		}
		positions = positions[n:]
	}
	return nil
}
