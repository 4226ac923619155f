package commands

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
)

// Streams reads the streams of other aggregates for a command that gathers
// what its decision needs.
type Streams struct {
	store eventstore.Store
	codec *eventstore.Codec
}

// Load is the state of an aggregate, folded from its stream; that of an
// aggregate without a stream is S's zero value.
func Load[S any, E domain.Event](ctx context.Context, s Streams, target domain.Target[S, E]) (S, error) {
	f, err := fold(ctx, s, target, uuid.Nil, folded[S]{})
	return f.state, err
}

// folded is what a stream came to.
type folded[S any] struct {
	state S
	// count is the number of events, last the position of the last one.
	count uint64
	last  eventstore.Position
	// own is the last event that the wanted command wrote, nil without one.
	own *eventstore.Meta
}

// fold goes on from f, usually nothing, to the end of a stream, and looks out
// for the events of one command. A stream that does not begin at 0 or has
// holes is refused, since no rule can be kept on half a history.
func fold[S any, E domain.Event](ctx context.Context, s Streams, target domain.Target[S, E], command uuid.UUID, f folded[S]) (folded[S], error) {
	stream := target.Stream()
	for r, err := range s.store.ReadStream(ctx, stream, f.count) {
		if err != nil {
			return f, storeError("load "+stream, err)
		}
		if r.Revision != f.count {
			return f, truncated(stream, r.Revision, f.count)
		}
		decoded, meta, err := s.codec.Decode(ctx, r)
		if err != nil {
			return f, storeError("load "+stream, err)
		}
		e, ok := decoded.(E)
		if !ok {
			return f, fmt.Errorf("load %s: %s at revision %d does not belong there", stream, r.Type, r.Revision)
		}
		f.state = target.Decider.Evolve(f.state, e)
		f.count, f.last = f.count+1, r.Position
		if command != uuid.Nil && meta.CommandID == command {
			f.own = &meta
		}
	}
	return f, nil
}

// truncated refuses a stream in which a revision does not follow the last one.
func truncated(stream string, revision, follows uint64) error {
	return fmt.Errorf("load %s: revision %d follows %d events: %w (%w)", stream, revision, follows, ErrHistoryTruncated, eventstore.ErrHistoryTruncated)
}

// loadBefore is the state of an aggregate as it was before the first of its
// events that matches, of all of them when none does.
func loadBefore[S any, E domain.Event](ctx context.Context, s Streams, target domain.Target[S, E], match func(eventstore.Meta) bool) (S, error) {
	var state S
	_, _, err := factOf(ctx, s, target, func(e E, m eventstore.Meta) bool {
		if match(m) {
			return true
		}
		state = target.Decider.Evolve(state, e)
		return false
	})
	return state, err
}

// factOf is the first event of type F in an aggregate's stream that matches,
// with its metadata; the metadata of none have no event id.
func factOf[F domain.Event, S any, E domain.Event](ctx context.Context, s Streams, target domain.Target[S, E], match func(F, eventstore.Meta) bool) (F, eventstore.Meta, error) {
	var none F
	stream := target.Stream()
	next := uint64(0)
	for r, err := range s.store.ReadStream(ctx, stream, 0) {
		if err != nil {
			return none, eventstore.Meta{}, storeError("read "+stream, err)
		}
		if r.Revision != next {
			return none, eventstore.Meta{}, truncated(stream, r.Revision, next)
		}
		next++
		e, meta, err := s.codec.Decode(ctx, r)
		if err != nil {
			return none, eventstore.Meta{}, storeError("read "+stream, err)
		}
		if fact, ok := e.(F); ok && (match == nil || match(fact, meta)) {
			return fact, meta, nil
		}
	}
	return none, eventstore.Meta{}, nil
}

// eventOf is the event of type F with an id in an aggregate's stream.
func eventOf[F domain.Event, S any, E domain.Event](ctx context.Context, s Streams, target domain.Target[S, E], id uuid.UUID) (F, eventstore.Meta, error) {
	fact, meta, err := factOf(ctx, s, target, func(_ F, m eventstore.Meta) bool { return m.EventID == id })
	if err == nil && meta.EventID != id {
		err = fmt.Errorf("read %s: it has no event %s", target.Stream(), id)
	}
	return fact, meta, err
}
