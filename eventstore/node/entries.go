package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// A stream's entries say where its events are. They are written in runs:
// 'S' + stream + 0 + revision holds the position of that revision's event, and
// then, each as the uvarint of its distance to the one before, those of the
// revisions that follow. (Folders up to format 3 hold a run of one for each
// event.) 'T' holds the position through which runs are written; the entries of
// the events behind it are in memory, and are made again from the log when a
// folder is opened.
const (
	writtenKey = 'T'
	// runEntries bounds a run, so that the middle of a stream is found fast.
	runEntries = 256
	// unwrittenEntries are how many entries are in memory before they are written:
	// the more, the fewer and longer the runs, which Pebble must sort, and the
	// more of the log is read when a folder is opened.
	unwrittenEntries = 1 << 15
	// batchRuns bounds a batch of runs: appends wait for one batch at most.
	batchRuns = 512
)

// appendRun appends the value of a run.
func appendRun(b []byte, run []entry) []byte {
	b = binary.BigEndian.AppendUint64(b, run[0].pos)
	for i := 1; i < len(run); i++ {
		b = binary.AppendUvarint(b, run[i].pos-run[i-1].pos)
	}
	return b
}

// appendRunEntries reads a run back.
func appendRunEntries(to []entry, first uint64, value []byte) ([]entry, error) {
	if len(value) < 8 {
		return to, fmt.Errorf("%w: a stream's entry has %d bytes", errRecord, len(value))
	}
	at := entry{ordinal: first, pos: binary.BigEndian.Uint64(value)}
	to = append(to, at)
	for rest := value[8:]; len(rest) > 0; {
		var err error
		if at.pos, rest, err = nextPosition(rest, at.pos); err != nil {
			return to, err
		}
		if at.ordinal++; at.ordinal >= tombstoneRevision {
			return to, fmt.Errorf("%w: a stream's entries run over its end", errRecord)
		}
		to = append(to, at)
	}
	return to, nil
}

// positionValue is a position as the value of a key.
func positionValue(pos uint64) []byte { return binary.BigEndian.AppendUint64(nil, pos) }

// positionOf reads back what positionValue wrote.
func positionOf(value []byte) (uint64, error) {
	if len(value) != 8 {
		return 0, fmt.Errorf("%w: a position has %d bytes", errRecord, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

// generation is entries in memory that are written together. Entries are added
// until it is the old one; nothing is ever taken out.
type generation struct {
	streams map[string]*[]entry
	size    int
	last    uint64 // the position of its last event
}

func newGeneration() *generation { return &generation{streams: map[string]*[]entry{}} }

func (g *generation) add(stream string, at entry) {
	list := g.streams[stream]
	if list == nil {
		list = new([]entry)
		g.streams[stream] = list
	}
	*list = append(*list, at)
	g.size++
	g.last = at.pos
}

func (g *generation) of(stream string) []entry {
	if list := g.streams[stream]; list != nil {
		return *list
	}
	return nil
}

// entries are those of the newest events, which are not written yet, and what
// writes them.
type entries struct {
	e       *Engine
	limit   int           // unwrittenEntries
	due     chan struct{} // tells run that there are enough
	stopped chan struct{}
	turn    sync.Mutex // held by who writes

	// mu guards the generations: old is being written, young grows. What is added
	// is in the log already.
	mu         sync.RWMutex
	old, young *generation
	last       uint64 // the position of the last entry added
}

func newEntries(e *Engine) *entries {
	limit := e.o.unwritten
	if limit == 0 {
		limit = unwrittenEntries
	}
	return &entries{
		e: e, limit: limit, due: make(chan struct{}, 1), stopped: make(chan struct{}),
		old: newGeneration(), young: newGeneration(),
	}
}

// written is the position through which a log's entries are written.
func (x *entries) written(last uint64) (uint64, error) {
	if f := x.e.folder.format; f > 0 && f < runsFormat {
		return last, nil
	}
	value, closer, err := x.e.db.Get([]byte{writtenKey})
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read how far entries are written: %w", err)
	}
	through, err := positionOf(value)
	if err == nil && through > last {
		err = fmt.Errorf("%w: the streams go to position %d, the log to %d", errIncomplete, through, last)
	}
	return through, errors.Join(err, closer.Close())
}

// adopt makes a folder one that has runs, when an older program wrote it.
func (x *entries) adopt(last uint64) error {
	if f := x.e.folder.format; f == 0 || f >= runsFormat {
		return nil
	}
	return x.e.db.Set([]byte{writtenKey}, positionValue(last), pebble.Sync)
}

// add adds the entries of a group that was applied to the log.
func (x *entries) add(group []staged) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range group {
		s := &group[i]
		x.young.add(s.stream, entry{ordinal: s.revision, pos: s.pos})
	}
	x.last = max(x.last, x.young.last)
}

// addAgain adds the entry of an event that is found in the log when the folder is
// opened.
func (x *entries) addAgain(stream string, revision, pos uint64) {
	x.young.add(stream, entry{ordinal: revision, pos: pos})
	x.last = pos
}

// keepBounded has entries written when there are enough. It waits only when
// they come faster than they can be written.
func (x *entries) keepBounded() error {
	x.mu.RLock()
	size := x.young.size
	x.mu.RUnlock()
	switch {
	case size >= 2*x.limit:
		return x.write()
	case size >= x.limit:
		select {
		case x.due <- struct{}{}:
		default:
		}
	}
	return nil
}

// run writes entries in the background until due is closed.
func (x *entries) run() {
	defer close(x.stopped)
	for range x.due {
		_ = x.write() // It stops the engine.
	}
}

// write writes all entries that were added before it was called; an error stops
// the engine. What a crash cuts short is written again, the same at the same keys.
func (x *entries) write() error {
	x.turn.Lock()
	defer x.turn.Unlock()
	if x.e.broken.Load() != nil {
		return errBroken
	}
	x.mu.Lock()
	x.old, x.young = x.young, newGeneration()
	old := x.old
	x.mu.Unlock()
	if old.size == 0 {
		return nil
	}
	if err := x.writeRuns(old); err != nil {
		err = fmt.Errorf("write %d entries of streams: %w", old.size, err)
		x.e.fail(err)
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.old = newGeneration()
	return nil
}

// writeRuns writes a generation without a sync: the log has its events, and is
// synced before they are seen.
func (x *entries) writeRuns(g *generation) error {
	var key, value []byte
	batch := x.e.db.NewBatch()
	for _, stream := range slices.Sorted(maps.Keys(g.streams)) {
		for list := g.of(stream); len(list) > 0; {
			n := runLength(list)
			key, value = appendStreamKey(key[:0], stream, list[0].ordinal), appendRun(value[:0], list[:n])
			list = list[n:]
			if err := batch.Set(key, value, nil); err != nil {
				return errors.Join(err, batch.Close())
			}
		}
		if batch.Count() < batchRuns {
			continue
		}
		if err := errors.Join(batch.Commit(pebble.NoSync), batch.Close()); err != nil {
			return err
		}
		batch = x.e.db.NewBatch()
	}
	err := batch.Set([]byte{writtenKey}, positionValue(g.last), nil)
	if err == nil {
		err = batch.Commit(pebble.NoSync)
	}
	return errors.Join(err, batch.Close())
}

// runLength is how many entries make one run: a tombstone has one of its own.
func runLength(list []entry) int {
	n := 1
	for n < min(len(list), runEntries) && list[n].ordinal == list[0].ordinal+uint64(n) {
		n++
	}
	return n
}
