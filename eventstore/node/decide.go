package node

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// decide stages what a ticket asks for, recognises a repeat, or refuses.
func (c *committer) decide(t *Ticket) (eventstore.Appended, error) {
	s, err := c.state(t.stream)
	if err != nil {
		return eventstore.Appended{}, broke(err)
	}
	if s.tombstoned() && (len(t.events) > 0 || t.does != doAppend) {
		return eventstore.Appended{}, t.deleted()
	}
	if t.does != doAppend {
		return c.decideDeletion(t, s)
	}
	switch t.expected.kind {
	case expectExists:
		if s.gone {
			return eventstore.Appended{}, t.deleted()
		}
		if !s.exists() {
			return eventstore.Appended{}, t.wrong(s.head)
		}
		return c.decideAny(t, s)
	case expectAny:
		return c.decideAny(t, s)
	case expectNoStream:
		return c.decideAt(t, s, -1)
	case expectRevision:
		if t.expected.revision >= maxNumber {
			return eventstore.Appended{}, t.wrong(s.head)
		}
		return c.decideAt(t, s, int64(t.expected.revision))
	}
	return eventstore.Appended{}, errNoExpectation
}

// decideAt decides an append that names the stream's last revision. When that
// lies behind, the stored events tell a repeat from a lost race. A soft-deleted
// stream takes new events as if it had never been, and goes on numbering.
func (c *committer) decideAt(t *Ticket, s state, expected int64) (eventstore.Appended, error) {
	again := expected == -1 && s.gone
	switch {
	case expected == s.head, again && len(t.events) == 0:
		return c.accept(t, s)
	case expected > s.head || len(t.events) == 0 || int64(len(t.events)) > s.head-expected && !again:
		return eventstore.Appended{}, t.wrong(s.head)
	}
	var pos uint64
	for i := range t.events {
		revision := uint64(expected + 1 + int64(i))
		id, p, err := c.stored(t.stream, revision)
		switch {
		case err != nil:
			return eventstore.Appended{}, broke(err)
		case id == t.events[i].ID && p > 0:
			pos = p
		case again && i == 0:
			return c.accept(t, s)
		default:
			return eventstore.Appended{}, t.wrong(s.head)
		}
	}
	return eventstore.Appended{Revision: uint64(expected) + uint64(len(t.events)), Position: at(pos)}, nil
}

// decideAny decides an append without a revision: a repeat is known by ids
// that were written lately.
func (c *committer) decideAny(t *Ticket, s state) (eventstore.Appended, error) {
	var first eventstore.Appended
	for i := range t.events {
		found, ok, err := c.written(t.stream, t.events[i].ID)
		switch {
		case err != nil:
			return eventstore.Appended{}, broke(err)
		case !ok && i == 0:
			return c.accept(t, s)
		case !ok:
			return eventstore.Appended{}, t.wrong(s.head)
		}
		first = found
	}
	if len(t.events) == 0 {
		return c.accept(t, s)
	}
	return first, nil
}

// accept stages an append whose expectation holds. Writing to a soft-deleted
// stream, if only nothing, brings it back.
func (c *committer) accept(t *Ticket, s state) (eventstore.Appended, error) {
	if len(t.events) == 0 && !s.gone {
		return eventstore.Appended{Revision: uint64(s.head), Position: at(c.last)}, nil // -1 is NoRevision
	}
	if !c.room {
		return eventstore.Appended{}, fmt.Errorf("append to %q: %w", t.stream, eventstore.ErrNoSpace)
	}
	if isMetastream(t.stream) {
		return c.acceptMetadata(t, s)
	}
	out := eventstore.Appended{Revision: uint64(s.head), Position: at(c.last)}
	if len(t.events) > 0 {
		out = c.stage(t.stream, s, t.events...)
	}
	if s.gone {
		if err := c.undelete(t.stream, s.head); err != nil {
			return eventstore.Appended{}, broke(err)
		}
	}
	return out, nil
}

func (t *Ticket) wrong(head int64) error {
	return &eventstore.WrongRevisionError{Stream: t.stream, Expected: t.expected.port(), Actual: uint64(head)} // -1 is NoRevision
}

func (t *Ticket) deleted() error {
	return fmt.Errorf("%s %q: %w", t.does, t.stream, eventstore.ErrStreamDeleted)
}

// broke marks a failed read that a decision rests on; it stops the engine.
func broke(err error) error { return fmt.Errorf("%w: %w", errDecide, err) }

// written finds where a stream's event with an id is, if it was written lately.
func (c *committer) written(stream string, id uuid.UUID) (eventstore.Appended, bool, error) {
	pos, known := c.ids.get(id)
	if !known {
		return eventstore.Appended{}, false, nil
	}
	for i := len(c.staged) - 1; i >= 0; i-- {
		if s := &c.staged[i]; s.pos == pos {
			return eventstore.Appended{Revision: s.revision, Position: at(pos)}, s.stream == stream, nil
		}
	}
	value, closer, err := c.e.db.Get(logKey(pos))
	if errors.Is(err, pebble.ErrNotFound) {
		was, known := c.e.scavenger.ids.get(id)
		return eventstore.Appended{Revision: was.revision, Position: at(was.pos)}, known && was.pos == pos && was.stream == stream, nil
	}
	if err != nil {
		return eventstore.Appended{}, false, err
	}
	defer closer.Close()
	r, err := parseRecord(value)
	if err != nil {
		return eventstore.Appended{}, false, fmt.Errorf("position %d: %w", pos, err)
	}
	return eventstore.Appended{Revision: r.revision, Position: at(pos)}, string(r.stream) == stream, nil
}

// stored is the id and position of a stream's event, staged or written.
func (c *committer) stored(stream string, revision uint64) (uuid.UUID, uint64, error) {
	for i := range c.staged {
		if s := &c.staged[i]; s.revision == revision && s.stream == stream {
			return s.event.ID, s.pos, nil
		}
	}
	it, err := c.e.look()
	if err != nil {
		return uuid.UUID{}, 0, err
	}
	defer it.Close()
	list, err := it.since(stream, revision)
	if err != nil || len(list) == 0 || list[0].ordinal != revision {
		return uuid.UUID{}, 0, err
	}
	pos := list[0].pos
	r, err := recordAt(it.Iterator, pos)
	return r.id, pos, err
}
