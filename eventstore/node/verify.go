package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/hostfold/hostfold/eventstore"
)

// ErrUnsound says that a log and its streams do not agree.
var ErrUnsound = errors.New("the event store is damaged; restore it from a backup")

// maxUnsound bounds the findings that are kept; all are counted.
const maxUnsound = 100

// Verified is what Verify saw.
type Verified struct {
	// Events and Streams count what there is up to Head, Scavenged what a
	// scavenge has removed.
	Events, Streams, Scavenged uint64
	Head                       eventstore.Position
	// Found counts what is wrong, Findings has the first of it.
	Found    uint64
	Findings []string
}

func (v *Verified) finding(format string, args ...any) {
	if v.Found++; len(v.Findings) < maxUnsound {
		v.Findings = append(v.Findings, fmt.Sprintf(format, args...))
	}
}

// Verify reads every record and every stream's entry up to the durable head and
// checks them against each other: each entry names the record of its stream
// and revision, each record has its entry, positions have no holes but those
// that were scavenged, and revisions none but at a stream's beginning. It answers
// an error that wraps ErrUnsound when something is wrong. Step, which may be
// nil, is told how many records and entries were read.
func (e *Engine) Verify(ctx context.Context, step func(done uint64)) (Verified, error) {
	if step == nil {
		step = func(uint64) {}
	}
	leave, err := e.enter()
	if err != nil {
		return Verified{}, err
	}
	defer leave()
	v := verification{e: e, ctx: ctx, step: step, head: e.durable.position()}
	v.out.Head = at(v.head)
	if err := e.entries.write(); err != nil {
		return Verified{}, fmt.Errorf("verify: %w", err)
	}
	state := e.db.NewSnapshot()
	err = errors.Join(v.records(state), v.entries(state), state.Close())
	if err == nil && v.out.Events != v.seen {
		v.out.finding("the log has %d records, the streams have %d entries", v.out.Events, v.seen)
	}
	if err == nil && v.missing > v.out.Scavenged {
		v.out.finding("the streams begin %d revisions late, but %d events were scavenged", v.missing, v.out.Scavenged)
	}
	if err != nil {
		return v.out, fmt.Errorf("verify: %w", e.folder.spoiled(err))
	}
	if v.out.Found > 0 {
		return v.out, fmt.Errorf("verify: %w: %d findings, first: %s", ErrUnsound, v.out.Found, v.out.Findings[0])
	}
	return v.out, nil
}

// verification is one run of Verify.
type verification struct {
	e          *Engine
	ctx        context.Context
	step       func(uint64)
	head       uint64
	out        Verified
	done, seen uint64
	missing    uint64 // revisions before the streams' first entries
}

// tick counts one thing read, and ends with the context.
func (v *verification) tick() error {
	if v.done++; v.done%4096 == 0 {
		v.step(v.done)
		return v.ctx.Err()
	}
	return nil
}

// records reads the log.
func (v *verification) records(state *pebble.Snapshot) (err error) {
	it, err := state.NewIter(&pebble.IterOptions{LowerBound: []byte{logPrefix}, UpperBound: logKey(v.head + 1)})
	if err != nil {
		return err
	}
	defer it.Close()
	removed, err := newNotes(state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removed.close()) }()
	if v.out.Scavenged, err = removed.count(1, v.head+1); err != nil {
		return err
	}
	last := uint64(0)
	for ok := it.First(); ok; ok = it.Next() {
		pos := logKeyPosition(it.Key())
		if err := v.gap(removed, last, pos); err != nil {
			return err
		}
		last = pos
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if _, err := parseRecord(value); err != nil {
			v.out.finding("position %d: %v", pos, err)
		}
		v.out.Events++
		if err := v.tick(); err != nil {
			return err
		}
	}
	if last < v.head {
		v.out.finding("the log ends at %d, but was durable through %d", last, v.head)
	}
	return it.Error()
}

// gap looks at what is between two positions, the second of which is there.
func (v *verification) gap(removed *notes, last, pos uint64) error {
	n, err := removed.count(last+1, pos)
	if err != nil {
		return err
	}
	if n != pos-last-1 {
		v.out.finding("position %d follows %d, %d events between them were scavenged", pos, last, n)
	}
	is, err := removed.has(pos)
	if is {
		v.out.finding("position %d was scavenged and is there", pos)
	}
	return err
}

// entries reads the streams' entries and the record that each names.
func (v *verification) entries(state *pebble.Snapshot) error {
	it, err := state.NewIter(&pebble.IterOptions{LowerBound: []byte{streamPrefix}, UpperBound: []byte{streamPrefix + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	records, err := state.NewIter(&pebble.IterOptions{LowerBound: []byte{logPrefix}, UpperBound: []byte{logPrefix + 1}})
	if err != nil {
		return err
	}
	defer records.Close()
	var of streamCheck
	var run []entry
	for ok := it.First(); ok; ok = it.Next() {
		stream, revision, whole := splitStreamKey(it.Key())
		if !whole {
			v.out.finding("an entry has the key %x", it.Key())
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if run, err = appendRunEntries(run[:0], revision, value); err != nil {
			v.out.finding("entry %d of stream %q: %v", revision, stream, err)
			continue
		}
		for _, at := range run {
			if at.pos > v.head {
				break
			}
			if err := v.entry(&of, stream, at, records); err != nil {
				return err
			}
		}
	}
	return errors.Join(it.Error(), records.Error())
}

// streamCheck is the stream whose entries are looked at.
type streamCheck struct {
	stream        string
	next, lastPos uint64
}

// entry checks one entry against the one before it, and its record.
func (v *verification) entry(of *streamCheck, stream string, at entry, records *pebble.Iterator) error {
	if of.stream != stream {
		*of = streamCheck{stream: stream}
		v.out.Streams++
		if at.ordinal != tombstoneRevision {
			v.missing += at.ordinal
			of.next = at.ordinal
		}
	}
	if at.ordinal != of.next && at.ordinal != tombstoneRevision {
		v.out.finding("stream %q goes from revision %d to %d", stream, int64(of.next)-1, at.ordinal) //nolint:gosec // -1 before the first
	}
	if at.pos <= of.lastPos {
		v.out.finding("stream %q: revision %d at position %d does not come after position %d", stream, at.ordinal, at.pos, of.lastPos)
	}
	of.next, of.lastPos = at.ordinal+1, at.pos
	v.seen++
	r, err := recordAt(records, at.pos)
	switch {
	case err != nil && !errors.Is(err, errRecord):
		return err
	case err != nil:
		v.out.finding("stream %q, revision %d: %v", stream, at.ordinal, err)
	case string(r.stream) != stream || r.revision != at.ordinal:
		v.out.finding("revision %d of stream %q names position %d, which holds revision %d of %q", at.ordinal, stream, at.pos, r.revision, r.stream)
	}
	return v.tick()
}
