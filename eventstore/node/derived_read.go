package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/hostfold/hostfold/eventstore"
)

// derivedLast is a derived stream's last revision as it is at a position of the
// log, eventstore.NoRevision when it has none.
func (e *Engine) derivedLast(ctx context.Context, stream string, d derived, through uint64) (uint64, error) {
	q := derivedQuery{derived: d, stream: stream, dir: Backwards, from: maxNumber, head: through}
	entries, err := e.derivedEntries(ctx, &q, 1, nil)
	if err != nil {
		return 0, fmt.Errorf("read stream %q: %w", stream, err)
	}
	if len(entries) == 0 {
		return eventstore.NoRevision, nil
	}
	return entries[0].ordinal, nil
}

// derivedSpan is what can be read of a derived stream: the metadata of "$ce-x"
// are those of "$$$ce-x". A link is as old as its event. The metadata of the
// streams that links lead to do not count here: a link stays when what it leads
// to is hidden, and then leads nowhere, as in the store's own server.
func (e *Engine) derivedSpan(ctx context.Context, stream string, d derived, through uint64) (s span, err error) {
	if s.last, err = e.derivedLast(ctx, stream, d, through); err != nil || s.last == eventstore.NoRevision {
		return s, err
	}
	m, err := e.metadataAt(stream, through)
	if err != nil {
		return s, fmt.Errorf("read stream %q: %w", stream, err)
	}
	s.limit(m)
	if m.MaxAge > 0 && s.first <= s.last {
		q := derivedQuery{derived: d, stream: stream, head: through}
		if s.first, err = e.derivedNotBefore(ctx, q, s.first, s.last, e.notBeforeTicks(m)); err != nil {
			return s, fmt.Errorf("read stream %q: %w", stream, err)
		}
	}
	return s, nil
}

// metadataAt reads a stream's metadata as they were at a position.
func (e *Engine) metadataAt(stream string, through uint64) (StreamMetadata, error) {
	leave, err := e.enter()
	if err != nil {
		return StreamMetadata{}, err
	}
	defer leave()
	it, err := e.look()
	if err != nil {
		return StreamMetadata{}, err
	}
	defer it.Close()
	m, _, err := metadataOf(it, stream, e.scavenger.asOf(through))
	return m, err
}

// derivedNotBefore is notBefore for a derived stream. An event that is no
// longer in the log is older than those that are.
func (e *Engine) derivedNotBefore(ctx context.Context, q derivedQuery, first, last uint64, ticks int64) (uint64, error) {
	for end := last + 1; first < end; {
		middle := first + (end-first)/2
		q.from, q.end = middle, false
		old := true
		if _, err := e.derivedEntries(ctx, &q, 1, func(it *pebble.Iterator, entries []entry) (int, error) {
			if len(entries) == 0 {
				return 0, nil
			}
			r, found, err := recordIfAny(it, entries[0].pos)
			old = !found || r.ticks < ticks
			return 1, err
		}); err != nil {
			return end, err
		}
		if old {
			first = middle + 1
		} else {
			end = middle
		}
	}
	return first, nil
}

// derivedQuery is a read of a derived stream under way: from moves on.
type derivedQuery struct {
	derived

	stream string
	dir    Direction
	from   uint64
	head   uint64 // what lies behind it is not seen
	end    bool   // there is nothing further
}

// entry says that the event at a position has an ordinal in a derived stream.
type entry struct{ ordinal, pos uint64 }

// derivedPage is streamPage for a derived stream. It sees every event that is
// durable at the read's position; what is not indexed yet is followed first.
func (e *Engine) derivedPage(ctx context.Context, d derived, r *streamRead) (page []eventstore.Recorded, more bool, err error) {
	if r.span == nil {
		s, err := e.derivedSpan(ctx, r.stream, d, r.through)
		if err != nil {
			return nil, false, err
		}
		r.span = &s
	}
	q := derivedQuery{derived: d, stream: r.stream, dir: r.direction, from: min(r.next, maxNumber), head: r.through}
	if r.direction == Forwards {
		q.from = max(q.from, r.span.first)
	}
	for len(page) == 0 && !q.end {
		if page, err = e.linksOf(ctx, &q, int(min(r.left, pageEvents))); err != nil {
			return nil, false, err
		}
	}
	for i := range page {
		if page[i].Revision < r.span.first { // backwards
			return page[:i], false, nil
		}
	}
	return page, !q.end, nil
}

// linksOf reads the next links. An event that was scavenged has none, but where
// a stream is named.
func (e *Engine) linksOf(ctx context.Context, q *derivedQuery, limit int) (page []eventstore.Recorded, err error) {
	size := 0
	_, err = e.derivedEntries(ctx, q, limit, func(it *pebble.Iterator, entries []entry) (read int, err error) {
		page = make([]eventstore.Recorded, 0, len(entries))
		names := q.by == everyStream || q.by == streamByCategory
		next := uint64(0) // there is nothing before it
		for i, at := range entries {
			if size > pageBytes {
				return i, nil
			}
			if q.dir == Forwards && at.pos < next && !names {
				continue
			}
			r, found, err := recordIfAny(it, at.pos)
			if err != nil {
				return i, err
			}
			if !found {
				next = maxNumber
				if it.Valid() && isLogKey(it.Key()) {
					next = logKeyPosition(it.Key())
				}
			}
			if !found && names {
				if r, found, err = firstOf(it, at.pos); err != nil {
					return i, err
				}
			}
			if !found {
				continue
			}
			link := q.link(q.stream, at, &r)
			page = append(page, link)
			size += len(link.Data) + len(link.Metadata)
		}
		return len(entries), nil
	})
	return page, err
}

// derivedEntries finds the next entries and hands them on while the database
// may be read; use answers how many it has used.
func (e *Engine) derivedEntries(ctx context.Context, q *derivedQuery, limit int, use func(*pebble.Iterator, []entry) (int, error)) ([]entry, error) {
	if err := e.index.catchUp(ctx, q.head); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	leave, err := e.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	// In this order: what is no longer pending is in the database then.
	tail := e.index.tail(q.derived)
	it, err := e.db.NewIter(nil)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	v := indexView{it: it, prefix: appendIndexPrefix(nil, q.by, q.name), tail: tail}
	entries, err := v.entries(q, limit)
	if err != nil || use == nil {
		return entries, err
	}
	used, err := use(it, entries)
	q.advance(entries, used)
	return entries[:used], err
}

// advance moves on behind the entries used.
func (q *derivedQuery) advance(entries []entry, used int) {
	if used < len(entries) {
		q.from, q.end = entries[used].ordinal, false
		return
	}
	if used == 0 {
		return
	}
	last := entries[used-1].ordinal
	switch {
	case q.dir == Forwards:
		q.from = last + 1
	case last == 0:
		q.end = true
	default:
		q.from = last - 1
	}
}

// indexView is one look at a derived stream: its blocks, the last of which may
// be pending, or written since then and pending no more.
type indexView struct {
	it     *pebble.Iterator
	prefix []byte
	tail   posting
}

// block is the block that an ordinal is in, or the last one before it. It is
// good until the next call.
func (v *indexView) block(ordinal uint64) (first uint64, block []byte, found bool, err error) {
	if v.tail.count > 0 && ordinal >= v.tail.first {
		return v.tail.first, v.tail.block, true, nil
	}
	if !v.it.SeekLT(appendOrdinal(slices.Clip(v.prefix), min(ordinal, maxNumber-1)+1)) || !ofStream(v.it.Key(), v.prefix) {
		return 0, nil, false, v.it.Error()
	}
	block, err = v.it.ValueAndErr()
	return streamKeyRevision(v.it.Key()), block, true, err
}

func (v *indexView) entries(q *derivedQuery, limit int) ([]entry, error) {
	if q.dir == Backwards {
		return v.backwards(q, limit)
	}
	return v.forwards(q, limit)
}

func (v *indexView) forwards(q *derivedQuery, limit int) (entries []entry, err error) {
	for next := q.from; ; {
		ordinal, block, found, err := v.block(next)
		if err != nil || !found {
			q.end = true
			return entries, err
		}
		for pos := uint64(0); len(block) > 0; ordinal++ {
			if pos, block, err = nextPosition(block, pos); err != nil {
				return entries, err
			}
			if pos > q.head {
				q.end = true
				return entries, nil
			}
			if ordinal < next {
				continue
			}
			if len(entries) == limit {
				return entries, nil
			}
			entries = append(entries, entry{ordinal: ordinal, pos: pos})
		}
		if ordinal <= next {
			q.end = true
			return entries, nil
		}
		next = ordinal
	}
}

func (v *indexView) backwards(q *derivedQuery, limit int) (entries []entry, err error) {
	var positions []uint64
	for next := q.from; ; {
		first, block, found, err := v.block(next)
		if err != nil || !found {
			q.end = true
			return entries, err
		}
		positions = positions[:0]
		for pos := uint64(0); len(block) > 0; {
			if pos, block, err = nextPosition(block, pos); err != nil {
				return entries, err
			}
			if pos > q.head || next-first < uint64(len(positions)) {
				break
			}
			positions = append(positions, pos)
		}
		for i, pos := range slices.Backward(positions) {
			if len(entries) == limit {
				return entries, nil
			}
			entries = append(entries, entry{ordinal: first + uint64(i), pos: pos})
		}
		if first == 0 {
			q.end = true
			return entries, nil
		}
		next = first - 1
	}
}

// recordIfAny moves an iterator to the record at a position, if there is one.
func recordIfAny(it *pebble.Iterator, pos uint64) (r record, found bool, err error) {
	r, err = recordAt(it, pos)
	if errors.Is(err, errNoRecord) {
		return r, false, nil
	}
	return r, err == nil, err
}
