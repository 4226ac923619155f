package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/hostfold/hostfold/eventstore"
)

// NoLimit asks for everything.
const NoLimit = math.MaxUint64

// End is after every event.
var End = eventstore.Position{Commit: math.MaxUint64, Prepare: math.MaxUint64}

// Reads go page by page, so that a slow reader holds nothing of the database.
const (
	pageEvents  = 256
	pageScanned = 8192
	pageBytes   = 1 << 20
)

// Direction is the order of a read.
type Direction bool

// The two orders.
const (
	Forwards  Direction = false
	Backwards Direction = true
)

// ReadStream implements the port.
func (e *Engine) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[eventstore.Recorded, error] {
	return e.Stream(ctx, stream, Forwards, from, NoLimit)
}

// ReadAll implements the port.
func (e *Engine) ReadAll(ctx context.Context, from eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return e.All(ctx, Forwards, from, NoLimit)
}

// LastRevision is the revision of a stream's last durable event,
// eventstore.NoRevision when there is none, math.MaxInt64 for a tombstone. What
// hides events from reads does not change it.
func (e *Engine) LastRevision(ctx context.Context, stream string) (uint64, error) {
	if d, is := derivedOf(stream); is {
		return e.derivedLast(ctx, stream, d, e.durable.position())
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("read stream %q: %w", stream, err)
	}
	leave, err := e.enter()
	if err != nil {
		return 0, err
	}
	defer leave()
	it, err := e.look()
	if err != nil {
		return 0, fmt.Errorf("read stream %q: %w", stream, err)
	}
	defer it.Close()
	head, _, err := it.lastEntry(stream, e.durable.position())
	return uint64(head), e.folder.spoiled(err) // -1 is NoRevision
}

// Stream yields those of a stream's durable events that its metadata leave
// visible, as they are when it is called, at most limit: forwards from a
// revision, or backwards from it (from the last one, when it is beyond). A
// stream that does not exist or is soft-deleted yields nothing; a tombstoned
// one eventstore.ErrStreamDeleted. What is scavenged while the read goes on is
// left out.
func (e *Engine) Stream(ctx context.Context, stream string, d Direction, from, limit uint64) iter.Seq2[eventstore.Recorded, error] {
	through := e.durable.position()
	return func(yield func(eventstore.Recorded, error) bool) {
		e.readStream(ctx, &streamRead{stream: stream, direction: d, next: from, left: limit, through: through})(yield)
	}
}

// streamRead is a read of one stream under way.
type streamRead struct {
	stream     string
	direction  Direction
	next, left uint64
	through    uint64 // the position at which the log ends for this read
	span       *span  // found with the first page when it is nil
}

// readStream goes on with a read to its end.
func (e *Engine) readStream(ctx context.Context, r *streamRead) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		if err := checkStream(r.stream); err != nil {
			yield(eventstore.Recorded{}, err)
			return
		}
		d, isDerived := derivedOf(r.stream)
		for more := true; more && r.left > 0; {
			var page []eventstore.Recorded
			var err error
			if isDerived {
				page, more, err = e.derivedPage(ctx, d, r)
			} else {
				page, more, err = e.streamPage(ctx, r)
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if err != nil {
				yield(eventstore.Recorded{}, fmt.Errorf("read stream %q: %w", r.stream, e.folder.spoiled(err)))
				return
			}
			more = r.pass(page) && more
		}
	}
}

// pass moves a read behind a page; more is false where the stream begins.
func (r *streamRead) pass(page []eventstore.Recorded) (more bool) {
	if len(page) == 0 {
		return false
	}
	last := page[len(page)-1].Revision
	r.left -= uint64(len(page))
	if r.direction == Forwards {
		r.next = last + 1
		return true
	}
	r.next = last - 1
	return last > 0
}

// streamPage reads one page with one iterator: first the stream's entries,
// then the records they point at.
func (e *Engine) streamPage(ctx context.Context, r *streamRead) (page []eventstore.Recorded, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	leave, err := e.enter()
	if err != nil {
		return nil, false, err
	}
	defer leave()
	began := e.o.Clock()
	it, err := e.look()
	if err != nil {
		return nil, false, err
	}
	defer it.Close()
	if r.span == nil {
		r.through = e.scavenger.asOf(r.through)
		s, err := e.span(it, r.stream, r.through)
		if err != nil {
			return nil, false, err
		}
		r.span = &s
	}
	if r.span.deleted {
		return nil, false, eventstore.ErrStreamDeleted
	}
	entries, more, err := it.entries(r)
	if err != nil && !errors.Is(err, eventstore.ErrStreamDeleted) || len(entries) == 0 {
		return nil, false, err
	}
	ended := err
	page = make([]eventstore.Recorded, 0, len(entries))
	defer func() {
		e.observed.read.observe(e.o.Clock().Sub(began))
		e.observed.readEvents.Add(uint64(len(page)))
	}()
	size := 0
	var kind name
	// Within these bounds no table of streams' entries is looked into for a record.
	low, high := min(entries[0], entries[len(entries)-1]), max(entries[0], entries[len(entries)-1])
	it.SetBounds(logKey(low), logKey(high+1))
	for _, pos := range entries {
		if size > pageBytes {
			return page, true, nil
		}
		record, err := recordOf(it.Iterator, r.stream, pos)
		if err != nil {
			return page, false, err
		}
		page = append(page, record.event(pos, r.stream, kind.of(record.kind)))
		size += len(record.data) + len(record.metadata)
	}
	return page, more, errors.Join(ended, it.Error())
}

// entries collects the positions of a stream's next events. Where a tombstone
// follows, it answers eventstore.ErrStreamDeleted beside them.
func (l *look) entries(r *streamRead) (positions []uint64, more bool, err error) {
	limit := int(min(r.left, pageEvents))
	positions = make([]uint64, 0, min(limit, 32))
	next := min(max(r.next, r.span.first), maxNumber)
	if r.direction == Backwards {
		next = r.next
	}
	for len(positions) < limit {
		var list []entry
		if r.direction == Forwards {
			list, err = l.since(r.stream, next)
		} else {
			list, err = l.until(r.stream, next)
		}
		if err != nil || len(list) == 0 {
			return positions, false, err
		}
		if r.direction == Forwards {
			next = list[len(list)-1].ordinal + 1
		} else {
			next = list[0].ordinal - 1
		}
		for i, at := range list {
			if r.direction == Backwards {
				at = list[len(list)-1-i]
			}
			switch {
			case len(positions) == limit:
				return positions, true, nil
			case at.ordinal < r.span.first, at.pos > r.through && r.direction == Forwards:
				return positions, false, nil
			case at.pos > r.through:
				continue
			case at.ordinal == tombstoneRevision:
				return positions, false, eventstore.ErrStreamDeleted
			}
			positions = append(positions, at.pos)
		}
		if r.direction == Backwards && list[0].ordinal == 0 {
			return positions, false, nil
		}
	}
	return positions, true, nil
}

func errorOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// recordAt moves an iterator to the record at a position.
func recordAt(it *pebble.Iterator, pos uint64) (record, error) {
	var key [logKeySize]byte
	putLogKey(key[:], pos)
	if !it.SeekGE(key[:]) || !bytes.Equal(it.Key(), key[:]) {
		return record{}, fmt.Errorf("position %d: %w", pos, errorOr(it.Error(), errNoRecord))
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return record{}, err
	}
	r, err := parseRecord(value)
	if err != nil {
		return record{}, fmt.Errorf("position %d: %w", pos, err)
	}
	return r, nil
}

// name is the last name read: runs of equal names share one string.
type name string

func (n *name) of(b []byte) string {
	if string(*n) != string(b) {
		*n = name(b)
	}
	return string(*n)
}
