package feed

import (
	"context"

	"github.com/hostfold/hostfold/eventstore"
)

// fetch is what the fetcher hands over: a decoded batch, then perhaps the
// permanent error behind it.
type fetch struct {
	batch *Batch
	err   error
}

// fetch subscribes, decodes and hands batches over one at a time: while one is
// being committed, the next is decoded and waits. It ends with ctx or after a
// permanent error.
func (l *lane) fetch(ctx context.Context, after eventstore.Position, out chan<- fetch) {
	pause := backoff{}
	for ctx.Err() == nil {
		before := after
		err := l.subscription(ctx, &after, out)
		if ctx.Err() != nil {
			return
		}
		if !transient(err) {
			hand(ctx, out, fetch{err: err})
			return
		}
		if after != before {
			pause = backoff{}
		}
		l.set(func(s *Status) { s.State, s.Error = BackingOff, err.Error() })
		rest(ctx, pause.next(true))
	}
}

// subscription reads from one subscription until it fails; after is how far
// everything was handed over.
func (l *lane) subscription(ctx context.Context, after *eventstore.Position, out chan<- fetch) error {
	sub, err := l.cfg.Store.Subscribe(ctx, *after, eventstore.Filter{Types: l.spec.Types})
	if err != nil {
		return err
	}
	defer func() {
		// Closing frees the subscription; there is nothing left to lose.
		_ = sub.Close()
	}()
	limit := l.spec.MaxEvents
	for {
		raw, err := sub.Next(ctx, limit)
		if err != nil {
			return err
		}
		if limit, err = l.decode(ctx, raw, after, out); err != nil {
			return err
		}
	}
}

// decode hands the events over in batches of at most maxBytes, and answers how
// many events of this size to ask for next.
func (l *lane) decode(ctx context.Context, raw eventstore.Batch, after *eventstore.Position, out chan<- fetch) (int, error) {
	var (
		events      []Event
		size, total int
		last        = *after
	)
	pass := func(b *Batch) error {
		if !hand(ctx, out, fetch{batch: b}) {
			return ctx.Err()
		}
		*after = b.through
		events, size = nil, 0
		return nil
	}
	if len(raw.Events) > 0 {
		events = make([]Event, 0, len(raw.Events))
	}
	for _, r := range raw.Events {
		if !last.Before(r.Position) {
			continue // A subscription that begins anew may repeat itself.
		}
		last = r.Position
		if eventstore.Foreign(r) {
			continue
		}
		e, err := l.event(ctx, r)
		if err != nil {
			if n := len(events); n > 0 {
				if err := pass(newBatch(events, events[n-1].Meta.Position, false)); err != nil {
					return 0, err
				}
			}
			return 0, err
		}
		if size > 0 && size+e.size > maxBytes {
			if err := pass(newBatch(events, events[len(events)-1].Meta.Position, false)); err != nil {
				return 0, err
			}
		}
		events, size, total = append(events, e), size+e.size, total+e.size
	}
	if raw.Through.Before(last) {
		raw.Through = last
	}
	if err := pass(newBatch(events, raw.Through, raw.Live)); err != nil {
		return 0, err
	}
	if len(raw.Events) == 0 {
		return l.spec.MaxEvents, nil
	}
	average := total/len(raw.Events) + 1
	return max(1, min(l.spec.MaxEvents, maxBytes/average)), nil
}

func (l *lane) event(ctx context.Context, r eventstore.Recorded) (Event, error) {
	size := len(r.Data) + len(r.Metadata) + len(r.Type)
	if l.spec.MetaOnly {
		m, err := eventstore.MetaOf(r)
		return Event{Meta: m, size: size}, err
	}
	e, m, err := l.cfg.Codec.Decode(ctx, r)
	return Event{Data: e, Meta: m, size: size}, err
}

func hand(ctx context.Context, out chan<- fetch, f fetch) bool {
	select {
	case out <- f:
		return true
	case <-ctx.Done():
		return false
	}
}
