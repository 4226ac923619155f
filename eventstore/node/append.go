package node

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hostfold/hostfold/eventstore"
)

// sizeError is eventstore.ErrTooLarge with the limit.
type sizeError int

// Error names the limit.
func (limit sizeError) Error() string {
	return fmt.Sprintf("%s: the limit is %d bytes", eventstore.ErrTooLarge, int(limit))
}

// Unwrap answers the port's error.
func (sizeError) Unwrap() error { return eventstore.ErrTooLarge }

var errNoExpectation = errors.New("append without an expected revision")

// Ticket is an append under way.
type Ticket struct {
	does     deed
	stream   string
	expected Expectation
	events   []eventstore.NewEvent
	size     int

	done     chan struct{} // one value when out and err are set
	answered bool
	out      eventstore.Appended
	err      error
}

// Wait waits until the append is durable or refused. When ctx ends first it
// answers an error that wraps eventstore.ErrUncertain and ctx's: the append
// goes on, and Wait may be called again. Only one goroutine may wait.
func (t *Ticket) Wait(ctx context.Context) (eventstore.Appended, error) {
	if !t.answered {
		select {
		case <-t.done:
			t.answered = true
		case <-ctx.Done():
			return eventstore.Appended{}, fmt.Errorf("%s %q: %w: %w", t.does, t.stream, eventstore.ErrUncertain, ctx.Err())
		}
	}
	return t.out, t.err
}

// Append implements the port.
func (e *Engine) Append(ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	return e.AppendExpecting(ctx, stream, expectationOf(expected), events)
}

// AppendExpecting writes the events as a whole or not at all, and answers when
// they are durable, or when everything the answer rests on is.
//
// A repeat is recognised by event ids: with a revision or NoStream that lies
// behind, by the events stored after it (strong); with Any and StreamExists,
// by a bounded memory of recent ids (weak). It answers the first outcome.
// Appending no events tests the expectation; Revision is then the stream's
// last, or eventstore.NoRevision.
//
// What is written to a soft-deleted stream, if only nothing, brings it back
// with its new events alone; StreamExists refuses that. The metadata of a
// stream are appended to its metastream, whose name is "$$" and the stream's.
//
// Errors are those of the port's Append, ErrStreamName and ErrDerivedStream. For Any and
// StreamExists, WrongRevisionError.Expected is the zero value. The events must not
// be changed afterwards, whatever was answered.
func (e *Engine) AppendExpecting(ctx context.Context, stream string, expected Expectation, events []eventstore.NewEvent) (eventstore.Appended, error) {
	t, err := e.Submit(ctx, stream, expected, events)
	return e.finish(ctx, t, err)
}

// finish waits for a ticket of which nobody else knows.
func (e *Engine) finish(ctx context.Context, t *Ticket, err error) (eventstore.Appended, error) {
	if err != nil {
		return eventstore.Appended{}, err
	}
	out, err := t.Wait(ctx)
	if t.answered {
		done := t.done
		*t = Ticket{done: done}
		e.tickets.Put(t)
	}
	return out, err
}

// Submit begins an append without waiting for its end: appends submitted one
// after the other are decided in that order. An error says that nothing was
// and will be written.
func (e *Engine) Submit(ctx context.Context, stream string, expected Expectation, events []eventstore.NewEvent) (*Ticket, error) {
	size, err := e.checkAppend(stream, expected, events)
	if err != nil {
		return nil, err
	}
	return e.submit(ctx, Ticket{does: doAppend, stream: stream, expected: expected, events: events, size: size})
}

// submit hands a checked ticket to the committer.
func (e *Engine) submit(ctx context.Context, what Ticket) (*Ticket, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s %q: %w: %w", what.does, what.stream, eventstore.ErrUnavailable, err)
	}
	leave, err := e.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	t := e.tickets.Get().(*Ticket)
	what.done = t.done
	*t = what
	select {
	case e.submitted <- t:
		return t, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s %q: %w: %w", what.does, what.stream, eventstore.ErrUnavailable, ctx.Err())
	}
}

// checkAppend refuses what can be refused without looking, and answers the
// append's size.
func (e *Engine) checkAppend(stream string, expected Expectation, events []eventstore.NewEvent) (int, error) {
	if err := errors.Join(checkStream(stream), refuseDerived(stream)); err != nil {
		return 0, err
	}
	if strings.HasPrefix(stream, metaPrefix+metaPrefix) {
		return 0, fmt.Errorf("%w: %.40q would hold the metadata of metadata", ErrStreamName, stream)
	}
	if expected.kind == expectNothing {
		return 0, errNoExpectation
	}
	size := 0
	for i := range events {
		size += len(events[i].Data) + len(events[i].Metadata) + 2*len(events[i].Type)
	}
	if limit := e.o.MaxAppendBytes; size > limit {
		return 0, fmt.Errorf("append of %d bytes to %q: %w", size, stream, sizeError(limit))
	}
	return size, nil
}

func checkStream(stream string) error {
	if stream == "" || stream == "$$" || stream == "$all" || len(stream) > MaxStreamName {
		return fmt.Errorf("%w: %.40q", ErrStreamName, stream)
	}
	return nil
}
