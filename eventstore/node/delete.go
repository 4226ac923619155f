package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/hostfold/hostfold/eventstore"
)

// tombstoneType is the type of the event that closes a stream for ever.
const tombstoneType = "$streamDeleted"

// ErrMetastream says that a metastream cannot be deleted.
var ErrMetastream = errors.New("a stream of metadata cannot be deleted")

// deed is what a ticket asks for.
type deed uint8

const (
	doAppend deed = iota
	doDelete
	doTombstone
)

// String is how errors begin that name the stream next.
func (d deed) String() string {
	return [...]string{doAppend: "append to", doDelete: "delete", doTombstone: "tombstone"}[d]
}

// Delete soft-deletes a stream: none of its events can be read any more, and
// writing to it begins it anew, at the revision after its last. Its metadata
// are replaced by those that say so. The answer is that metadata's revision and
// position.
//
// Errors are those of AppendExpecting, which decides expectations in the same
// way, and ErrMetastream. A stream that never was is a WrongRevisionError
// whatever is expected, one soft-deleted already is deleted again.
func (e *Engine) Delete(ctx context.Context, stream string, expected Expectation) (eventstore.Appended, error) {
	return e.delete(ctx, doDelete, stream, expected)
}

// Tombstone deletes a stream, and its metastream, for ever: reading it or
// writing to it answers eventstore.ErrStreamDeleted from then on. A stream that
// never was can be closed so, too, with Any or NoStream. The answer's revision
// is math.MaxInt64. Errors are those of Delete.
func (e *Engine) Tombstone(ctx context.Context, stream string, expected Expectation) (eventstore.Appended, error) {
	return e.delete(ctx, doTombstone, stream, expected)
}

func (e *Engine) delete(ctx context.Context, how deed, stream string, expected Expectation) (eventstore.Appended, error) {
	if _, err := e.checkAppend(stream, expected, nil); err != nil {
		return eventstore.Appended{}, err
	}
	if isMetastream(stream) {
		return eventstore.Appended{}, fmt.Errorf("%s %q: %w", how, stream, ErrMetastream)
	}
	t, err := e.submit(ctx, Ticket{does: how, stream: stream, expected: expected})
	return e.finish(ctx, t, err)
}

// decideDeletion decides about a stream that is not tombstoned.
func (c *committer) decideDeletion(t *Ticket, s state) (eventstore.Appended, error) {
	ok := true
	switch t.expected.kind {
	case expectExists:
		if s.gone {
			return eventstore.Appended{}, t.deleted()
		}
		ok = s.exists()
	case expectNoStream:
		ok = s.head < 0 || s.gone
	case expectRevision:
		ok = s.head >= 0 && t.expected.revision == uint64(s.head)
	}
	if !ok || t.does == doDelete && !s.exists() {
		return eventstore.Appended{}, t.wrong(s.head)
	}
	if !c.room {
		return eventstore.Appended{}, fmt.Errorf("%s %q: %w", t.does, t.stream, eventstore.ErrNoSpace)
	}
	if t.does == doTombstone {
		return c.stageTombstone(t.stream), nil
	}
	out, err := c.stageMetadata(t.stream, []byte(softDeleted), state{head: s.head, meta: true, gone: true})
	if err != nil {
		return eventstore.Appended{}, broke(err)
	}
	return out, nil
}

func (c *committer) stageTombstone(stream string) eventstore.Appended {
	end := state{head: tombstoneRevision}
	c.states.put(metaPrefix+stream, end)
	return c.stage(stream, state{head: tombstoneRevision - 1}, eventstore.NewEvent{ID: c.e.o.NewID(), Type: tombstoneType, Binary: true})
}

// stageMetadata adds an event of the store's own to a stream's metastream;
// after is what it makes of the stream.
func (c *committer) stageMetadata(stream string, data []byte, after state) (eventstore.Appended, error) {
	meta := metaPrefix + stream
	s, err := c.state(meta)
	if err != nil {
		return eventstore.Appended{}, err
	}
	c.states.put(stream, after)
	return c.stage(meta, s, eventstore.NewEvent{ID: c.e.o.NewID(), Type: metadataType, Data: data}), nil
}

// acceptMetadata stages an append to a metastream: its last event is in force.
func (c *committer) acceptMetadata(t *Ticket, s state) (eventstore.Appended, error) {
	stream := t.stream[len(metaPrefix):]
	of, err := c.state(stream)
	if err != nil {
		return eventstore.Appended{}, broke(err)
	}
	out := c.stage(t.stream, s, t.events...)
	was, last := of.gone, &t.events[len(t.events)-1]
	of.meta, of.gone = true, parseMetadata(last.Data, last.Binary).Deleted()
	c.states.put(stream, of)
	if was {
		if err := c.undelete(stream, of.head); err != nil {
			return eventstore.Appended{}, broke(err)
		}
	}
	return out, nil
}

// undelete brings a soft-deleted stream back with its events from the revision
// after a head on: its metadata are kept but for "$tb".
func (c *committer) undelete(stream string, head int64) error {
	it, err := c.e.look()
	if err != nil {
		return err
	}
	defer it.Close()
	m, err := c.metadata(it, stream)
	if err != nil {
		return err
	}
	after, err := c.state(stream)
	if err != nil {
		return err
	}
	data, ok := withTruncateBefore(m.data, head+1)
	if !ok || m.binary {
		return nil // They say nothing, so the stream is not deleted any more.
	}
	after.meta, after.gone = true, false
	_, err = c.stageMetadata(stream, data, after)
	return err
}
