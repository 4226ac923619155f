package feed

import (
	"context"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
)

// Event is one event of a batch.
type Event struct {
	// Data is the decoded event, nil in a lane that asked for metadata only.
	Data domain.Event
	Meta eventstore.Meta
	size int
}

// Batch is a run of events in the log's order, applied as a whole.
type Batch struct {
	Lane   string
	Events []Event
	// From is the checkpoint before the batch, To the one it leads to.
	From, To eventstore.Position
	// through is how far the log is known to hold nothing more for the lane.
	through eventstore.Position
	live    bool
	// mark names the event at or before To that proves the checkpoint at the
	// next start.
	mark  mark
	again bool
	epoch int64
	err   error
}

// mark is an event and its place.
type mark struct {
	id uuid.UUID
	at eventstore.Position
}

type batchKey struct{}

// BatchFrom is the batch that a lane's message carries in its context.
func BatchFrom(ctx context.Context) *Batch {
	b, _ := ctx.Value(batchKey{}).(*Batch)
	return b
}

// newBatch makes the batch of some events that follow from; through is how far
// the log was read for them.
func newBatch(events []Event, through eventstore.Position, live bool) *Batch {
	b := &Batch{Events: events, To: through, through: through, live: live}
	if n := len(events); n > 0 {
		last := events[n-1].Meta
		b.To, b.mark = last.Position, mark{id: last.EventID, at: last.Position}
	}
	return b
}

// halves splits a batch of several events in two, to find the one that fails.
func (b *Batch) halves() (*Batch, *Batch) {
	n := len(b.Events) / 2
	first := newBatch(b.Events[:n:n], b.Events[n-1].Meta.Position, false)
	return first, newBatch(b.Events[n:], b.through, b.live)
}
