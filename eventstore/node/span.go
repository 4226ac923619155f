package node

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/hostfold/hostfold/eventstore"
)

// span is what can be read of a stream, as it is at a position of the log.
type span struct {
	first   uint64 // the first revision that its metadata leave visible
	last    uint64 // its last revision, eventstore.NoRevision when it has none
	hidden  bool   // it is soft-deleted
	deleted bool   // it is tombstoned
}

// found reports whether the stream is there for a reader, if only empty.
func (s span) found() bool { return s.last != eventstore.NoRevision && !s.hidden }

// next is the first revision that can be read from a revision on; it is the
// one after the last when there is none.
func (s span) next(from uint64) uint64 { return min(max(from, s.first), s.last+1) }

// spanNow is a stream's span at the durable head, and that head.
func (e *Engine) spanNow(ctx context.Context, stream string) (s span, through uint64, err error) {
	if err := checkStream(stream); err != nil {
		return s, 0, err
	}
	if err := ctx.Err(); err != nil {
		return s, 0, fmt.Errorf("read stream %q: %w", stream, err)
	}
	if d, is := derivedOf(stream); is {
		through = e.durable.position()
		s, err = e.derivedSpan(ctx, stream, d, through)
		return s, through, err
	}
	leave, err := e.enter()
	if err != nil {
		return s, 0, err
	}
	defer leave()
	through = e.durable.position()
	it, err := e.look()
	if err == nil {
		defer it.Close()
		through = e.scavenger.asOf(through)
		s, err = e.span(it, stream, through)
	}
	if err != nil {
		return s, through, fmt.Errorf("read stream %q: %w", stream, err)
	}
	return s, through, nil
}

// span finds a stream's visible range.
func (e *Engine) span(it *look, stream string, through uint64) (s span, err error) {
	last, _, err := it.lastEntry(stream, through)
	if err != nil {
		return s, err
	}
	s.last, s.deleted = uint64(last), last == tombstoneRevision //nolint:gosec // -1 is NoRevision.
	if isMetastream(stream) {
		s.first = uint64(max(last, 0))
		of, _, err := it.lastEntry(stream[len(metaPrefix):], through)
		s.deleted = of == tombstoneRevision
		return s, err
	}
	if s.deleted || last < 0 {
		return s, nil
	}
	m, _, err := metadataOf(it, stream, through)
	if err != nil {
		return s, err
	}
	s.limit(m)
	if m.MaxAge > 0 && s.first <= s.last {
		s.first, err = notBefore(it, stream, s.first, s.last, e.notBeforeTicks(m))
	}
	if err == nil && e.scavenger.removed.Load() && s.first <= s.last {
		var begin uint64
		begin, err = firstEntry(it, stream)
		s.first = max(s.first, begin) // What was scavenged is gone whatever its metadata say since.
	}
	return s, err
}

// firstEntry is a stream's first revision that was not scavenged; the stream
// must not be empty.
func firstEntry(it *look, stream string) (uint64, error) {
	list, err := it.since(stream, 0)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0].ordinal, nil
}

// notBeforeTicks is when the events that are not too old begin.
func (e *Engine) notBeforeTicks(m StreamMetadata) int64 {
	return ticksOf(e.o.Clock()) - int64(m.MaxAge/(100*time.Nanosecond))
}

// limit hides what metadata hide by count and revision.
func (s *span) limit(m StreamMetadata) {
	s.hidden, s.first = m.Deleted(), m.TruncateBefore
	if m.MaxCount > 0 && m.MaxCount <= s.last {
		s.first = max(s.first, s.last-m.MaxCount+1)
	}
}

// notBefore finds, in steps that halve, a stream's first event from first to
// last that was recorded at a time or later; last+1 when there is none. Where
// the clock was set back it finds one such place.
func notBefore(it *look, stream string, first, last uint64, ticks int64) (uint64, error) {
	for end := last + 1; first < end; {
		middle := first + (end-first)/2
		list, err := it.since(stream, middle)
		if err != nil || len(list) == 0 {
			return end, err
		}
		at := list[0]
		r, err := recordOf(it.Iterator, stream, at.pos)
		switch {
		case err != nil:
			return end, err
		case at.ordinal < end && r.ticks < ticks:
			first = at.ordinal + 1
		default:
			end = middle
		}
	}
	return first, nil
}

// everything is a span that hides nothing, for readers that were there already.
func everything() *span { return &span{last: math.MaxUint64} }
