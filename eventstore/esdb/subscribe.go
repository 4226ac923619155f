package esdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/hostfold/hostfold/eventstore"
)

// A subscription holds at most this much that its caller has not taken; then
// flow control holds the store back.
const (
	feedItems = 8192
	feedBytes = 32 << 20
)

// The store says how far it has come after this many events that the filter
// left out.
const (
	searchWindow       = 512
	checkpointInterval = 8
)

// A subscription that hears nothing looks after firstIdle whether it should
// have; lastIdle bounds how rarely it looks when looking did not help.
const (
	firstIdle = 100 * time.Millisecond
	lastIdle  = 5 * time.Second
)

// subscription is one subscription to all events. A store is slow to say that
// it has passed events which the filter leaves out, and a broken connection
// may fall silent; so when nothing comes although the log is known to have
// grown, it is renewed: a new one begins by saying how far it has come.
type subscription struct {
	s       *Store
	filter  eventstore.Filter
	feed    atomic.Pointer[feed]
	closed  atomic.Bool
	through eventstore.Position
	live    bool
	idle    time.Duration
}

// feed is one subscription of the client.
type feed struct {
	cancel context.CancelFunc
	got    *buffer[step]
}

// step is one message of the store: an event, a later position, or whether the
// end of the log was reached or lost.
type step struct {
	event   *eventstore.Recorded
	through eventstore.Position
	live    *bool
}

// Subscribe delivers what matches the filter and comes after a position.
func (s *Store) Subscribe(ctx context.Context, after eventstore.Position, filter eventstore.Filter) (eventstore.Subscription, error) {
	f, err := s.open(ctx, after, filter)
	if err != nil {
		return nil, err
	}
	sub := &subscription{s: s, filter: filter, through: after, idle: firstIdle}
	sub.feed.Store(f)
	return sub, nil
}

// open opens a feed, trying until ctx ends.
func (s *Store) open(ctx context.Context, after eventstore.Position, filter eventstore.Filter) (*feed, error) {
	options, err := selection(after, filter)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	ctx, stop := s.limit(ctx)
	defer stop()
	for {
		f, err := s.openOnce(ctx, after, options)
		if err == nil {
			return f, nil
		}
		if !worthwhile(err) || !pause(ctx) {
			return nil, fmt.Errorf("subscribe after %s: %w", after, outward(err))
		}
	}
}

// selection is the request in the client's terms.
func selection(after eventstore.Position, filter eventstore.Filter) (client.SubscribeToAllOptions, error) {
	options := client.SubscribeToAllOptions{
		From:            client.Position{Commit: after.Commit, Prepare: after.Prepare},
		MaxSearchWindow: searchWindow, CheckpointInterval: checkpointInterval,
		Filter: client.ExcludeSystemEventsFilter(),
	}
	if after == eventstore.Start {
		options.From = client.Start{}
	}
	switch {
	case len(filter.Types) > 0 && len(filter.Streams) > 0:
		return options, errors.New("a filter is by types or by streams, not by both")
	case len(filter.Types) > 0:
		options.Filter = &client.SubscriptionFilter{Type: client.EventFilterType, Prefixes: filter.Types}
	case len(filter.Streams) > 0:
		options.Filter = &client.SubscriptionFilter{Type: client.StreamFilterType, Prefixes: filter.Streams}
	}
	return options, nil
}

// openOnce opens a feed. Its life is its own: ctx bounds only the opening.
func (s *Store) openOnce(ctx context.Context, after eventstore.Position, options client.SubscribeToAllOptions) (*feed, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &feed{cancel: cancel, got: newBuffer[step](feedItems, feedBytes)}
	opened := make(chan struct{})
	gen, err := s.feeds.start(ctx, life, func(ctx context.Context, c *client.Client) error {
		in, err := c.SubscribeToAll(ctx, options)
		if err != nil {
			return err
		}
		defer in.Close()
		close(opened)
		return pump(ctx, in, after, f.got)
	}, f.got.end)
	if err != nil {
		cancel()
		return nil, err
	}
	select {
	case <-opened:
		return f, nil
	case <-f.got.over:
		cancel()
		return nil, f.got.err
	case <-ctx.Done():
		cancel()
		gen.suspect(f.got.over)
		return nil, fmt.Errorf("%w: %w", errStuck, context.Cause(ctx))
	}
}

// pump moves what the store sends into the buffer until the subscription ends.
func pump(ctx context.Context, in *client.Subscription, through eventstore.Position, got *buffer[step]) error {
	for {
		var next step
		size := 0
		switch m := in.Recv(); {
		case m.SubscriptionDropped != nil:
			return fmt.Errorf("subscription dropped: %w", m.SubscriptionDropped.Error)
		case m.EventAppeared != nil:
			e := recorded(m.EventAppeared.OriginalEvent())
			if !through.Before(e.Position) {
				return fmt.Errorf("%w: event at %s after %s", errDisorder, e.Position, through)
			}
			through, size = e.Position, len(e.Data)+len(e.Metadata)
			next = step{event: &e, through: through}
		case m.CheckPointReached != nil:
			p := eventstore.Position{Commit: m.CheckPointReached.Commit, Prepare: m.CheckPointReached.Prepare}
			// Some servers sent checkpoints that lay at the end of numbers.
			if p.Commit > math.MaxInt64 || !through.Before(p) {
				continue
			}
			through = p
			next = step{through: through}
		case m.CaughtUp != nil:
			next = step{through: through, live: new(true)}
		case m.FellBehind != nil:
			next = step{through: through, live: new(false)}
		default:
			continue
		}
		if err := got.put(ctx, next, size); err != nil {
			return err
		}
	}
}

// Next answers what is there, waiting when there is nothing. Call it from one
// goroutine at a time.
func (s *subscription) Next(ctx context.Context, limit int) (eventstore.Batch, error) {
	for {
		steps, more, err := s.feed.Load().got.take(ctx, limit, s.idle)
		switch {
		case ctx.Err() != nil:
			return eventstore.Batch{}, ctx.Err()
		case s.closed.Load():
			return eventstore.Batch{}, fmt.Errorf("after %s: %w: %w", s.through, eventstore.ErrUnavailable, errClosed)
		case errors.Is(err, errStuck):
			if err := s.renew(ctx); err != nil {
				return eventstore.Batch{}, err
			}
			continue
		case err != nil:
			return eventstore.Batch{}, fmt.Errorf("after %s: %w", s.through, outward(err))
		}
		if b, news := s.batch(steps, more); news {
			return b, nil
		}
	}
}

// batch takes over what came; it is news when it brings the caller further.
func (s *subscription) batch(steps []step, more bool) (b eventstore.Batch, news bool) {
	before, wasLive := s.through, s.live
	for _, st := range steps {
		if s.through = st.through; st.event != nil {
			b.Events = append(b.Events, *st.event)
		}
		if st.live != nil {
			s.live = *st.live
		}
	}
	b.Through, b.Live = s.through, s.live && !more && !s.s.isBehind(s.through)
	if before.Before(s.through) {
		s.idle = firstIdle
		return b, true
	}
	return b, s.live && !wasLive
}

// renew opens a new feed in place of one that is silent, when the log has
// grown. What the old one holds comes again.
func (s *subscription) renew(ctx context.Context) error {
	if !s.s.isBehind(s.through) {
		return nil
	}
	if !s.live && s.idle < lastIdle {
		s.idle *= 2 // It may only be slow.
		return nil
	}
	f, err := s.s.open(ctx, s.through, s.filter)
	if err != nil {
		return err
	}
	s.feed.Swap(f).cancel()
	s.live, s.idle = false, min(2*s.idle, lastIdle)
	if s.closed.Load() {
		f.cancel()
	}
	return nil
}

// Close ends the subscription.
func (s *subscription) Close() error {
	s.closed.Store(true)
	s.feed.Load().cancel()
	return nil
}
