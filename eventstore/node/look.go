package node

import (
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"
)

// look is the log and all entries of its streams, as they are at one moment.
type look struct {
	*pebble.Iterator

	x          *entries
	old, young *generation
	last       uint64  // entries behind it came later
	key        []byte  // the one last looked for
	run        []entry // the run last read
}

// look looks at the database, and at what is not written into it; close it when
// done.
func (e *Engine) look() (*look, error) {
	x := e.entries
	x.mu.RLock() // Nothing is dropped from memory meanwhile.
	defer x.mu.RUnlock()
	it, err := e.db.NewIter(nil)
	if err != nil {
		return nil, err
	}
	return &look{Iterator: it, x: x, old: x.old, young: x.young, last: x.last}, nil
}

// unwritten are a stream's entries in memory; the young follow the old.
func (l *look) unwritten(stream string) (old, young []entry) {
	l.x.mu.RLock()
	defer l.x.mu.RUnlock()
	old, young = l.old.of(stream), l.young.of(stream)
	for len(young) > 0 && young[len(young)-1].pos > l.last {
		young = young[:len(young)-1]
	}
	return old, young
}

// since answers entries of a stream from a revision on, in their order: the first
// of them at least, when there is one. They are good until the next call.
func (l *look) since(stream string, revision uint64) ([]entry, error) {
	old, young := l.unwritten(stream)
	switch {
	case len(young) > 0 && young[0].ordinal <= revision:
		return young[search(young, revision):], nil
	case len(old) > 0 && old[0].ordinal <= revision:
		if list := old[search(old, revision):]; len(list) > 0 {
			return list, nil
		}
		return young, nil
	}
	list, err := l.writtenSince(stream, revision)
	if err != nil || len(list) > 0 {
		return list, err
	}
	if len(old) > 0 {
		return old, nil
	}
	return young, nil
}

// until answers entries of a stream up to a revision, in their order: the last of
// them at least, when there is one. They are good until the next call.
func (l *look) until(stream string, revision uint64) ([]entry, error) {
	revision = min(revision, maxNumber)
	old, young := l.unwritten(stream)
	for _, list := range [][]entry{young, old} {
		if n := search(list, revision+1); n > 0 {
			return list[:n], nil
		}
	}
	if !l.SeekLT(l.seek(stream, revision+1)) || !l.within() {
		return nil, l.Error()
	}
	list, err := l.read()
	return list[:search(list, revision+1)], err
}

// writtenSince is since, of the runs.
func (l *look) writtenSince(stream string, revision uint64) ([]entry, error) {
	revision = min(revision, maxNumber)
	key := l.seek(stream, revision)
	later := false
	if l.SeekGE(key) && l.within() {
		if later = streamKeyRevision(l.Key()) > revision; !later {
			return l.read()
		}
	}
	if err := l.Error(); err != nil {
		return nil, err
	}
	if revision > 0 && l.SeekLT(key) && l.within() {
		list, err := l.read()
		if list = list[search(list, revision):]; err != nil || len(list) > 0 {
			return list, err
		}
	}
	if !later || l.Error() != nil || !l.SeekGE(key) {
		return nil, l.Error()
	}
	return l.read()
}

// seek makes the key to look for a stream's revision.
func (l *look) seek(stream string, revision uint64) []byte {
	l.key = appendStreamKey(l.key[:0], stream, revision)
	return l.key
}

// within reports whether the iterator is at a run of the stream last looked for.
func (l *look) within() bool { return ofStream(l.Key(), l.key[:len(l.key)-8]) }

// read reads the run that the iterator is at.
func (l *look) read() (list []entry, err error) {
	value, err := l.ValueAndErr()
	if err == nil {
		l.run, err = appendRunEntries(l.run[:0], streamKeyRevision(l.Key()), value)
	}
	return l.run, err
}

// lastEntry is a stream's last entry up to a position; its revision is -1 when
// there is none.
func (l *look) lastEntry(stream string, through uint64) (revision int64, pos uint64, err error) {
	for next := uint64(maxNumber); ; {
		list, err := l.until(stream, next)
		if err != nil || len(list) == 0 {
			return -1, 0, err
		}
		for _, at := range slices.Backward(list) {
			if at.pos <= through {
				return int64(at.ordinal), at.pos, nil //nolint:gosec // Keys hold nothing larger.
			}
		}
		if next = list[0].ordinal; next == 0 {
			return -1, 0, nil
		}
		next--
	}
}

// search is where in a list the first entry is that has a revision or a later one.
func search(list []entry, revision uint64) int {
	return sort.Search(len(list), func(i int) bool { return list[i].ordinal >= revision })
}
