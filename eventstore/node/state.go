package node

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// state is what decisions about a stream rest on, staged events included.
type state struct {
	head int64 // the last revision, -1 for none
	meta bool  // it has a metastream with events
	gone bool  // it is soft-deleted
}

func (s state) tombstoned() bool { return s.head == tombstoneRevision }

// exists reports whether a stream has events, or metadata only.
func (s state) exists() bool { return s.head >= 0 || s.meta }

// state looks a stream up, its metadata only when it is not known already.
func (c *committer) state(stream string) (state, error) {
	if s, known := c.states.get(stream); known {
		return s, nil
	}
	it, err := c.e.look()
	if err != nil {
		return state{}, err
	}
	defer it.Close()
	s := state{}
	if s.head, _, err = it.lastEntry(stream, maxNumber); err != nil {
		return state{}, err
	}
	switch {
	case isMetastream(stream):
		of, known := c.states.get(stream[len(metaPrefix):])
		if !known {
			if of.head, _, err = it.lastEntry(stream[len(metaPrefix):], maxNumber); err != nil {
				return state{}, err
			}
		}
		if of.tombstoned() { // It takes its metadata with it.
			s.head = tombstoneRevision
		}
	case !s.tombstoned():
		m, err := c.metadata(it, stream)
		if err != nil {
			return state{}, err
		}
		s.meta, s.gone = m.there, m.Deleted()
	}
	c.states.put(stream, s)
	return s, nil
}

// currentMetadata are a stream's metadata, staged ones included.
type currentMetadata struct {
	StreamMetadata

	there  bool
	data   []byte
	binary bool
}

func (c *committer) metadata(it *look, stream string) (m currentMetadata, err error) {
	meta := metaPrefix + stream
	if _, known := c.states.get(meta); known { // else none are staged
		for i := len(c.staged) - 1; i >= 0 && !m.there; i-- {
			if s := &c.staged[i]; s.stream == meta {
				m.there, m.data, m.binary = true, s.event.Data, s.event.Binary
			}
		}
	}
	if !m.there {
		revision, pos, err := it.lastEntry(meta, maxNumber)
		if err != nil || revision < 0 {
			return m, err
		}
		r, err := recordOf(it.Iterator, meta, pos)
		if err != nil {
			return m, err
		}
		m.there, m.data, m.binary = true, append([]byte(nil), r.data...), r.binary
	}
	m.StreamMetadata = parseMetadata(m.data, m.binary)
	return m, nil
}

// recordOf moves an iterator to a stream's record at a position.
func recordOf(it *pebble.Iterator, stream string, pos uint64) (record, error) {
	r, err := recordAt(it, pos)
	if err == nil && string(r.stream) != stream {
		err = fmt.Errorf("%w: position %d holds an event of %q", errRecord, pos, r.stream)
	}
	return r, err
}
