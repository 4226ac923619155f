package node

import (
	"context"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/hostfold/hostfold/eventstore"
)

// Scan asks for one page of the log.
type Scan struct {
	// From is where to begin: forwards the first position considered,
	// backwards the first one not considered (End for the newest event).
	From eventstore.Position
	// Direction is the order.
	Direction Direction
	// Match selects what is answered, all when nil. It must not keep what it
	// is given.
	Match func(stream, eventType []byte) bool
	// MaxEvents bounds the events answered, MaxScanned those considered; 0
	// means as many as make a page. A page may end earlier.
	MaxEvents, MaxScanned int
}

// Page is what a Scan found.
type Page struct {
	// Events are those that matched, in the order of the scan.
	Events []eventstore.Recorded
	// Scanned counts the events considered, matching or not.
	Scanned int
	// Through is the last position considered: go on from it, after it
	// forwards, before it backwards. It is the scan's own From when nothing
	// was there, and the durable head when forwards the end was reached.
	Through eventstore.Position
	// End is true when there was nothing further.
	End bool
}

// All yields the log's durable events, as they are when it is called, at most
// limit: forwards from a position, inclusive, or backwards from it, exclusive
// (End begins with the newest).
func (e *Engine) All(ctx context.Context, d Direction, from eventstore.Position, limit uint64) iter.Seq2[eventstore.Recorded, error] {
	head := e.durable.position()
	return func(yield func(eventstore.Recorded, error) bool) {
		s := Scan{From: from, Direction: d}
		for left := limit; left > 0; {
			s.MaxEvents = int(min(left, pageEvents))
			page, err := e.scanThrough(ctx, s, head)
			for i := range page.Events {
				if !yield(page.Events[i], nil) {
					return
				}
			}
			if err != nil {
				yield(eventstore.Recorded{}, err)
				return
			}
			if page.End {
				return
			}
			left -= uint64(len(page.Events))
			s.From = page.Through
			if d == Forwards {
				s.From = at(page.Through.Commit + 1)
			}
		}
	}
}

// ScanAll reads one page of the log, bounded in time and memory. Pages, with
// WaitHead between them, make a subscription.
func (e *Engine) ScanAll(ctx context.Context, s Scan) (Page, error) {
	return e.scanThrough(ctx, s, e.durable.position())
}

// scanThrough scans the log as it is with the given end.
func (e *Engine) scanThrough(ctx context.Context, s Scan, head uint64) (Page, error) {
	if err := ctx.Err(); err != nil {
		return Page{Through: s.From}, fmt.Errorf("read log: %w", err)
	}
	leave, err := e.enter()
	if err != nil {
		return Page{Through: s.From}, err
	}
	defer leave()
	began := e.o.Clock()
	page, err := e.scan(s, head)
	e.observed.read.observe(e.o.Clock().Sub(began))
	e.observed.readEvents.Add(uint64(len(page.Events)))
	if err != nil {
		return page, fmt.Errorf("read log: %w", e.folder.spoiled(err))
	}
	return page, nil
}

func (e *Engine) scan(s Scan, head uint64) (Page, error) {
	page := Page{Through: s.From}
	if s.MaxEvents <= 0 {
		s.MaxEvents = pageEvents
	}
	if s.MaxScanned <= 0 {
		s.MaxScanned = pageScanned
	}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: []byte{logPrefix}, UpperBound: logKey(head + 1)})
	if err != nil {
		return page, err
	}
	defer it.Close()
	var ok bool
	step := it.Next
	if s.Direction == Backwards {
		ok, step = it.SeekLT(logKey(nextFrom(s.From))), it.Prev
	} else {
		ok = it.SeekGE(logKey(nextFrom(s.From)))
	}
	size := 0
	var stream, kind name
	for ; ok; ok = step() {
		if len(page.Events) == s.MaxEvents || page.Scanned == s.MaxScanned || size > pageBytes {
			return page, nil
		}
		pos := logKeyPosition(it.Key())
		value, err := it.ValueAndErr()
		if err != nil {
			return page, err
		}
		r, err := parseRecord(value)
		if err != nil {
			return page, fmt.Errorf("position %d: %w", pos, err)
		}
		page.Scanned++
		page.Through = at(pos)
		if s.Match == nil || s.Match(r.stream, r.kind) {
			if page.Events == nil && s.Match == nil {
				page.Events = make([]eventstore.Recorded, 0, min(s.MaxEvents, pageEvents, s.left(pos, head)))
			}
			page.Events = append(page.Events, r.event(pos, stream.of(r.stream), kind.of(r.kind)))
			size += len(r.data) + len(r.metadata)
		}
	}
	if err := it.Error(); err != nil {
		return page, err
	}
	page.End = true
	if s.Direction == Forwards && page.Through.Before(at(head)) {
		page.Through = at(head)
	}
	return page, nil
}

// left is how many events there are at most from a position on.
func (s Scan) left(pos, head uint64) int {
	if s.Direction == Backwards {
		return int(pos)
	}
	return int(head - pos + 1)
}
