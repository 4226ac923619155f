package esdb

import (
	"context"
	"fmt"
	"iter"
	"math"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/hostfold/hostfold/eventstore"
)

// A read holds at most this much that its caller has not taken.
const (
	readEvents = 256
	readBytes  = 8 << 20
)

// opener starts a read on a client, after what was already yielded.
type opener func(ctx context.Context, c *client.Client, last *eventstore.Recorded) (*client.ReadStream, error)

// ReadStream yields a stream's events from a revision.
func (s *Store) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[eventstore.Recorded, error] {
	return s.read(ctx, "read "+stream, func(ctx context.Context, c *client.Client, last *eventstore.Recorded) (*client.ReadStream, error) {
		next := from
		if last != nil {
			next = last.Revision + 1
		}
		return c.ReadStream(ctx, stream, client.ReadStreamOptions{From: client.Revision(next)}, math.MaxUint64)
	})
}

// ReadAll yields all events from a position, inclusive. A server reads on
// while others append, so the end of the log is asked for first.
func (s *Store) ReadAll(ctx context.Context, from eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	what := "read all from " + from.String()
	all := s.read(ctx, what, func(ctx context.Context, c *client.Client, last *eventstore.Recorded) (*client.ReadStream, error) {
		next := from
		if last != nil {
			next = last.Position
		}
		options := client.ReadAllOptions{From: client.Position{Commit: next.Commit, Prepare: next.Prepare}}
		if next == eventstore.Start {
			options.From = client.Start{}
		}
		return c.ReadAll(ctx, options, math.MaxUint64)
	})
	return func(yield func(eventstore.Recorded, error) bool) {
		end, err := s.Head(ctx)
		if err != nil {
			yield(eventstore.Recorded{}, fmt.Errorf("%s: %w", what, err))
			return
		}
		for r, err := range all {
			if err == nil && end.Before(r.Position) || !yield(r, err) {
				return
			}
		}
	}
}

// read yields what open reads. When the connection fails it goes on after the
// last event, until ctx ends or nothing came within the deadline.
func (s *Store) read(ctx context.Context, what string, open opener) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		var last *eventstore.Recorded
		for {
			further, err := s.readOn(ctx, open, &last, yield)
			if err == nil {
				return
			}
			if !further || !worthwhile(err) || ctx.Err() != nil {
				yield(eventstore.Recorded{}, fmt.Errorf("%s: %w", what, outward(err)))
				return
			}
		}
	}
}

// readOn tries until a read gets further than last, or the deadline passes.
func (s *Store) readOn(ctx context.Context, open opener, last **eventstore.Recorded, yield func(eventstore.Recorded, error) bool) (further bool, err error) {
	quiet, stop := s.limit(ctx)
	defer stop()
	before := *last
	for {
		err = s.readOnce(ctx, quiet, open, last, yield)
		further = *last != before
		if err == nil || further || !worthwhile(err) || !pause(quiet) {
			return further, err
		}
	}
}

// readOnce runs one read and yields what it brings; last is kept up to date.
func (s *Store) readOnce(ctx, quiet context.Context, open opener, last **eventstore.Recorded, yield func(eventstore.Recorded, error) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	got := newBuffer[eventstore.Recorded](readEvents, readBytes)
	after := *last
	gen, err := s.calls.start(quiet, ctx, func(ctx context.Context, c *client.Client) error {
		return receive(ctx, c, open, after, got)
	}, got.end)
	if err != nil {
		return err
	}
	for {
		events, _, err := got.take(ctx, readEvents, s.deadline)
		if isEnd(err) {
			return nil
		}
		if err != nil {
			gen.suspect(got.over)
			return err
		}
		for i := range events {
			*last = &events[i]
			if !yield(events[i], nil) {
				return nil
			}
		}
	}
}

// receive is the part of a read that runs beside its caller.
func receive(ctx context.Context, c *client.Client, open opener, after *eventstore.Recorded, got *buffer[eventstore.Recorded]) error {
	r, err := open(ctx, c, after)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		e, err := r.Recv()
		if codeOf(err) == client.ErrorCodeResourceNotFound {
			return nil
		}
		if isEnd(err) {
			return nil
		}
		if err != nil {
			return err
		}
		one := recorded(e.OriginalEvent())
		if after != nil && one.Position == after.Position {
			continue // Reading all is inclusive.
		}
		if err := got.put(ctx, one, len(one.Data)+len(one.Metadata)); err != nil {
			return err
		}
	}
}

// recorded is an event in the port's terms.
func recorded(e *client.RecordedEvent) eventstore.Recorded {
	return eventstore.Recorded{
		ID: e.EventID, Stream: e.StreamID, Revision: e.EventNumber, Type: e.EventType,
		Position: eventstore.Position{Commit: e.Position.Commit, Prepare: e.Position.Prepare},
		Data:     e.Data, Metadata: e.UserMetadata, Binary: e.ContentType != "application/json",
		RecordedAt: e.CreatedDate,
	}
}
