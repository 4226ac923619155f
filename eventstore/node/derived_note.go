package node

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// note makes the events from one position through another pending.
func (x *index) note(from, head uint64) (err error) {
	it, err := x.e.db.NewIter(&pebble.IterOptions{LowerBound: logKey(from), UpperBound: logKey(head + 1)})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, it.Close())
		if x.lookups != nil {
			err = errors.Join(err, x.lookups.Close())
			x.lookups = nil
		}
	}()
	x.mu.Lock()
	defer x.mu.Unlock()
	for ok := it.First(); ok; ok = it.Next() {
		pos := logKeyPosition(it.Key())
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		r, err := parseRecord(value)
		if err != nil {
			return fmt.Errorf("position %d: %w", pos, err)
		}
		if err := x.noteOne(pos, &r); err != nil {
			return fmt.Errorf("position %d: %w", pos, err)
		}
		x.size++
		x.through.Store(pos)
	}
	if err := it.Error(); err != nil {
		return err
	}
	x.through.Store(head)
	return nil
}

// noteOne makes one event pending, in all the derived streams it belongs to or
// in none.
func (x *index) noteOne(pos uint64, r *record) error {
	var in [4]*posting
	n := 0
	find := func(by derivation, name []byte) (err error) {
		if len(name) <= maxDerivedName {
			in[n], err = x.posting(by, name)
			n++
		}
		return err
	}
	stream, kind, deleted := r.stream, r.kind, deletedBy(r)
	if deleted != nil {
		stream, kind = deleted, []byte(typeDeleted)
	}
	if category := categoryOf(stream); category != nil {
		if err := find(byCategory, category); err != nil {
			return err
		}
	}
	if string(kind) != linkType {
		if err := find(byType, kind); err != nil {
			return err
		}
	}
	if r.revision == 0 {
		if err := find(everyStream, nil); err != nil {
			return err
		}
		if category := categoryOf(r.stream); category != nil {
			if err := find(streamByCategory, category); err != nil {
				return err
			}
		}
	}
	for _, p := range in[:n] {
		if p != nil {
			p.add(pos)
		}
	}
	return nil
}

// posting is the pending block of a derived stream, a new one when there is none.
func (x *index) posting(by derivation, name []byte) (*posting, error) {
	if p := x.pending[by][string(name)]; p != nil {
		return p, nil
	}
	first, err := x.count(by, string(name))
	if err != nil {
		return nil, err
	}
	p := &posting{first: first}
	x.pending[by][string(name)] = p
	x.names += len(name)
	return p, nil
}

// count is how many entries of a derived stream are written.
func (x *index) count(by derivation, name string) (uint64, error) {
	if n, known := x.counts.get(countKey(by, name)); known {
		return n, nil
	}
	if x.lookups == nil {
		it, err := x.e.db.NewIter(&pebble.IterOptions{LowerBound: []byte{indexPrefix}, UpperBound: []byte{indexPrefix + 1}})
		if err != nil {
			return 0, err
		}
		x.lookups = it
	}
	prefix := appendIndexPrefix(nil, by, name)
	if !x.lookups.SeekLT(afterStream(prefix)) || !ofStream(x.lookups.Key(), prefix) {
		return 0, x.lookups.Error()
	}
	block, err := x.lookups.ValueAndErr()
	return streamKeyRevision(x.lookups.Key()) + entriesIn(block), err
}

func countKey(by derivation, name string) string { return string(rune(by)) + name }
