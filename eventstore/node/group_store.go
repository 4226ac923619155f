package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node/group"
)

const (
	checkpointType = "$SubscriptionCheckpoint"
	// maxReason bounds what is kept of a consumer's reason to park an event.
	maxReason = 1024
)

// groupStore is what a group keeps in the event store: its checkpoint and its
// parked events, in two streams.
type groupStore struct {
	e *Engine
	c *groupConfig
	// ready says for each of the two streams that its metadata is in force.
	ready map[string]bool
}

// nextRevision is one after a stream's last visible revision, 0 when there is none.
func nextRevision(ctx context.Context, e *Engine, stream string) (uint64, error) {
	for event, err := range e.Stream(ctx, stream, Backwards, NoLimit, 1) {
		if errors.Is(err, eventstore.ErrStreamDeleted) {
			return 0, nil
		}
		return event.Revision + 1, err
	}
	return 0, nil
}

// cutBefore is a stream's $tb: what is before it counts as deleted.
func cutBefore(ctx context.Context, e *Engine, stream string) (uint64, error) {
	m, _, err := e.Metadata(ctx, stream)
	return m.TruncateBefore, err
}

// load reads where the group goes on.
func (s *groupStore) load(ctx context.Context) (from uint64, checkpointed bool, parked group.Parked, err error) {
	from = s.c.From
	last, ok, err := s.checkpoint(ctx)
	if err != nil {
		return 0, false, parked, fmt.Errorf("read the checkpoint of %q: %w", s.c.key(), err)
	}
	if ok {
		from, checkpointed = last+1, true
	}
	if parked.First, err = cutBefore(ctx, s.e, s.c.parkedStream()); err == nil {
		parked.End, err = s.end(ctx, s.c.parkedStream())
	}
	if err != nil {
		return 0, false, parked, fmt.Errorf("read the parked events of %q: %w", s.c.key(), err)
	}
	parked.First = min(parked.First, parked.End)
	return from, checkpointed, parked, nil
}

// checkpoint reads the newest checkpoint.
func (s *groupStore) checkpoint(ctx context.Context) (place uint64, ok bool, err error) {
	for event, err := range s.e.Stream(ctx, s.c.checkpointStream(), Backwards, NoLimit, 2) {
		if errors.Is(err, eventstore.ErrStreamDeleted) {
			return 0, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		if event.Type == checkpointType {
			if place, ok = s.parsePlace(event.Data); ok {
				return place, true, nil
			}
		}
	}
	return 0, false, nil
}

// end is one after a stream's last revision, visible or not.
func (s *groupStore) end(ctx context.Context, stream string) (uint64, error) {
	last, err := s.e.LastRevision(ctx, stream)
	if last == tombstoneRevision {
		return 0, err
	}
	return last + 1, err // NoRevision, the largest number, gives 0.
}

// parsePlace reads a checkpoint: a JSON string, or number, of a place.
func (s *groupStore) parsePlace(data []byte) (uint64, bool) {
	var text string
	if json.Unmarshal(data, &text) != nil {
		text = string(data)
	}
	if s.c.isAll() {
		var p eventstore.Position
		if _, err := fmt.Sscanf(text, "C:%d/P:%d", &p.Commit, &p.Prepare); err != nil || p.Commit >= maxNumber {
			return 0, false
		}
		return p.Commit, true
	}
	place, err := strconv.ParseUint(text, 10, 63)
	return place, err == nil && place < maxNumber
}

// mark writes a checkpoint.
func (s *groupStore) mark(ctx context.Context, place uint64) error {
	if err := s.prepare(ctx, s.c.checkpointStream(), `"$maxCount":2,`); err != nil {
		return err
	}
	_, err := s.e.AppendExpecting(ctx, s.c.checkpointStream(), Any(), []eventstore.NewEvent{{
		ID: s.e.o.NewID(), Type: checkpointType, Data: strconv.AppendQuote(nil, s.c.placeText(place)),
	}})
	return err
}

// prepare gives a stream its metadata before its first event. Of a stream that
// a group of the same name had before, nothing may come back.
func (s *groupStore) prepare(ctx context.Context, stream, more string) error {
	if s.ready[stream] {
		return nil
	}
	end, err := s.end(ctx, stream)
	if err != nil {
		return err
	}
	cut, err := cutBefore(ctx, s.e, stream)
	if err != nil {
		return err
	}
	if end == 0 || cut > end {
		if err := writeMetadata(ctx, s.e, stream, fmt.Sprintf(`{%s"$tb":%d}`, more, end)); err != nil {
			return err
		}
	}
	s.ready[stream] = true
	return nil
}

// parkedMetadata is what goes with a parked event.
type parkedMetadata struct {
	Added  time.Time `json:"added"`
	Reason string    `json:"reason"`
	Number uint64    `json:"subscriptionEventNumber"`
}

// park writes events to the parked stream. It answers how many are durable, and
// the last one's revision.
func (s *groupStore) park(ctx context.Context, list []group.Parking, ids []uuid.UUID) (n int, last uint64, err error) {
	if err := s.prepare(ctx, s.c.parkedStream(), ""); err != nil {
		return 0, 0, err
	}
	tickets := make([]*Ticket, 0, len(list))
	for i, p := range list {
		var event eventstore.NewEvent
		if event, err = s.parked(p, ids[i]); err != nil {
			break
		}
		var t *Ticket
		if t, err = s.e.Submit(ctx, s.c.parkedStream(), Any(), []eventstore.NewEvent{event}); err != nil {
			break
		}
		tickets = append(tickets, t)
	}
	for i, t := range tickets { // All of them are waited for, whatever came of one.
		done, failed := t.Wait(ctx)
		err = errors.Join(err, failed)
		if failed == nil && n == i {
			n, last = n+1, done.Revision
		}
	}
	return n, last, err
}

func (s *groupStore) parked(p group.Parking, id uuid.UUID) (eventstore.NewEvent, error) {
	of := p.Message.Event
	if of == nil {
		of = p.Message.Link
	}
	reason := p.Reason
	if len(reason) > maxReason {
		reason = reason[:maxReason]
		for !utf8.ValidString(reason) && reason != "" {
			reason = reason[:len(reason)-1]
		}
	}
	metadata, err := json.Marshal(parkedMetadata{Added: s.e.o.Clock().UTC(), Reason: reason, Number: p.Message.Original().Revision})
	return eventstore.NewEvent{
		ID: id, Type: linkType, Binary: true, Data: fmt.Appendf(nil, "%d@%s", of.Revision, of.Stream), Metadata: metadata,
	}, err
}

// cut says that the parked events before a revision are no longer needed.
func (s *groupStore) cut(ctx context.Context, first uint64) error {
	return writeMetadata(ctx, s.e, s.c.parkedStream(), fmt.Sprintf(`{"$tb":%d}`, first))
}

// forget deletes both streams, so that a group of the same name begins anew.
func (s *groupStore) forget(ctx context.Context) error {
	for _, stream := range []string{s.c.checkpointStream(), s.c.parkedStream()} {
		_, err := s.e.Delete(ctx, stream, Any())
		if _, none := errors.AsType[*eventstore.WrongRevisionError](err); err != nil && !none && !errors.Is(err, eventstore.ErrStreamDeleted) {
			return fmt.Errorf("delete stream %q: %w", stream, err)
		}
	}
	s.ready = map[string]bool{}
	return nil
}
