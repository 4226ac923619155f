package esdb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// Append writes the events, whole or not at all. When an answer is lost it
// repeats the same append, which the store recognises by ids and expectation,
// until the deadline.
func (s *Store) Append(ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	options, data, err := s.proposal(expected, events)
	if err != nil {
		return eventstore.Appended{}, fmt.Errorf("append to %s: %w", stream, err)
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	sent := false
	for {
		done, err := do(ctx, s.calls, func(ctx context.Context, c *client.Client) (eventstore.Appended, error) {
			w, err := c.AppendToStream(ctx, stream, options, data...)
			if err != nil {
				return eventstore.Appended{}, err
			}
			return eventstore.Appended{Revision: w.NextExpectedVersion, Position: eventstore.Position{Commit: w.CommitPosition, Prepare: w.PreparePosition}}, nil
		})
		if err == nil {
			s.learn(done.Position)
			return done, nil
		}
		if codeOf(err) == client.ErrorCodeWrongExpectedVersion {
			return s.settle(ctx, stream, expected, events, actual(err), sent)
		}
		f := fateOf(err)
		if f == refused {
			return eventstore.Appended{}, fmt.Errorf("append to %s: %w", stream, outward(err))
		}
		sent = sent || f == unsure
		if !worthwhile(err) || !pause(ctx) {
			return eventstore.Appended{}, undecided(stream, sent, err)
		}
	}
}

// undecided is the answer when the deadline came first.
func undecided(stream string, sent bool, err error) error {
	if sent {
		return fmt.Errorf("append to %s: %w: %w", stream, eventstore.ErrUncertain, err)
	}
	return fmt.Errorf("append to %s: %w: %w", stream, eventstore.ErrUnavailable, err)
}

// proposal is the append in the client's terms. Nothing is left to the
// client's defaults: without an expectation it would accept any revision, and
// without an id it would make one up.
func (s *Store) proposal(expected eventstore.Expected, events []eventstore.NewEvent) (client.AppendToStreamOptions, []client.EventData, error) {
	var options client.AppendToStreamOptions
	if _, err := s.check(expected, events); err != nil {
		return options, nil, err
	}
	options.ExpectedRevision = client.NoStream{}
	if last, ok := expected.Last(); ok {
		options.ExpectedRevision = client.Revision(last)
	}
	data := make([]client.EventData, len(events))
	for i, e := range events {
		data[i] = client.EventData{EventID: e.ID, EventType: e.Type, ContentType: client.ContentTypeJson, Data: e.Data, Metadata: e.Metadata}
		if e.Binary {
			data[i].ContentType = client.ContentTypeBinary
		}
	}
	return options, data, nil
}

// check answers the size of an append, or why it must not be sent.
func (s *Store) check(expected eventstore.Expected, events []eventstore.NewEvent) (size int, err error) {
	if !expected.Valid() {
		return 0, errors.New("no expected revision is given")
	}
	if len(events) == 0 {
		return 0, errors.New("there is no event")
	}
	for i, e := range events {
		if e.ID == uuid.Nil || e.Type == "" {
			return 0, fmt.Errorf("event %d has no id or no type", i)
		}
		size += len(e.Data) + len(e.Metadata) + 2*len(e.Type)
	}
	if size > s.largest {
		return 0, fmt.Errorf("%w: %d bytes", eventstore.ErrTooLarge, size)
	}
	return size, nil
}

// settle decides what a wrong revision means: ours, when the events at the
// target carry our ids, since then an earlier try of this append was written.
func (s *Store) settle(ctx context.Context, stream string, expected eventstore.Expected, events []eventstore.NewEvent, actual uint64, sent bool) (eventstore.Appended, error) {
	first := uint64(0)
	if last, ok := expected.Last(); ok {
		first = last + 1
	}
	var stored []eventstore.Recorded
	for r, err := range s.ReadStream(ctx, stream, first) {
		if err != nil {
			return eventstore.Appended{}, undecided(stream, sent, err)
		}
		if stored = append(stored, r); r.ID != events[len(stored)-1].ID || len(stored) == len(events) {
			break
		}
	}
	if n := len(stored); n == len(events) && stored[n-1].ID == events[n-1].ID {
		return eventstore.Appended{Revision: stored[n-1].Revision, Position: stored[n-1].Position}, nil
	}
	return eventstore.Appended{}, &eventstore.WrongRevisionError{Stream: stream, Expected: expected, Actual: actual}
}

// actual is the stream's revision, which the client tells in its text only.
func actual(refusal error) uint64 {
	_, text, _ := strings.Cut(refusal.Error(), "but got '")
	text, _, _ = strings.Cut(text, "'")
	if r, err := strconv.ParseUint(text, 10, 64); err == nil {
		return r
	}
	return eventstore.NoRevision
}
